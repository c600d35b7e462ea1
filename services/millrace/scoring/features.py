"""Features: raw field values to a float matrix, by the same code in training and in serving."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

# "All Levels" starts where a beginner does and goes further; so it lies between the two.
LEVEL_NUMBERS = {"beginner level": 0.0, "all levels": 1.0, "intermediate level": 2.0, "expert level": 3.0}


def _to_numbers(values: Sequence[Any]) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values.astype(np.float64, copy=False)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _to_levels(values: Sequence[Any]) -> np.ndarray:
    return np.array(
        [LEVEL_NUMBERS.get(value.strip().lower(), np.nan) if isinstance(value, str) else np.nan for value in values],
        dtype=np.float64,
    )


def _to_days(values: Sequence[Any]) -> np.ndarray:
    seconds = [value.timestamp() if isinstance(value, datetime) else value for value in values]
    return _to_numbers(seconds) / 86_400


TRANSFORMS = {
    "identity": _to_numbers,
    "log1p": lambda values: np.log1p(_to_numbers(values)),
    "level": _to_levels,
    "days": _to_days,
}
"""identity; log1p: natural logarithm of 1 + x; level: course levels as 0..3; days: days since 1970-01-01 UTC."""


def make_matrix(features: Sequence[Mapping[str, str]], columns: Mapping[str, Sequence[Any]]) -> np.ndarray:
    """The (rows, features) float64 matrix of `features` ({"field", "transform"} each) over `columns`.

    A value that is missing or unknown to its transform becomes NaN; such rows take no part in a training.
    Raises KeyError for a transform or a column that does not exist.
    """
    parts = [TRANSFORMS[feature["transform"]](columns[feature["field"]]) for feature in features]
    return np.column_stack(parts)


def to_original_units(transform: str, values: np.ndarray) -> np.ndarray:
    """Feature values back in the field's own unit; days as days since 1970-01-01 UTC, levels as 0..3."""
    return np.expm1(values) if transform == "log1p" else values
