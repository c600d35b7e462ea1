"""What all kinds of models in memory have in common."""

from dataclasses import dataclass

import numpy as np

from millrace.registry.manifest import Manifest


@dataclass(frozen=True)
class LoadedModel:
    """One loaded version. Immutable, so that a request which has begun on it also ends on it."""

    manifest: Manifest
    arrays: dict[str, np.ndarray]
