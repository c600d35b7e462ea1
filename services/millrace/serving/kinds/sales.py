"""Sales in memory: the arrays of one training, mapped from files, so that workers share them."""

from dataclasses import dataclass, field

import numpy as np

from millrace.analytics.sales import Sales
from millrace.registry.manifest import Manifest


@dataclass(frozen=True)
class LoadedSales:
    """One loaded version. Immutable, so that a request which has begun on it also ends on it."""

    manifest: Manifest
    arrays: dict[str, np.ndarray]
    sales: Sales = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sales", Sales(self.arrays))
