"""Reads lists field by field: plain numbers are checked all at once with NumPy.

Other values (text such as "₹1,099", out of range) go one by one through the record type, and only it rejects any.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

NUMBER_TYPES = {int, float}


class NotPlainError(Exception):
    """These values must be read one by one."""


@dataclass(frozen=True)
class NumberLimits:
    """The numbers that a record type takes as they are, from the type's own JSON schema."""

    low: float
    high: float
    whole: bool


def find_limits(kind: type) -> NumberLimits | None:
    """The limits of a record type; None for one that is not a number or does not say how far it goes."""
    schema = TypeAdapter(kind).json_schema()
    for part in schema.get("anyOf", [schema]):
        if part.get("type") in ("number", "integer") and {"minimum", "maximum"} <= set(part):
            return NumberLimits(part["minimum"], part["maximum"], part["type"] == "integer")
    return None


class ColumnReader:
    """Reads the values of one field."""

    def __init__(self, kind: type):
        self.limits = find_limits(kind)
        self._validate: Callable[[object], object] = TypeAdapter(kind).validator.validate_python

    def read(self, values: Sequence[object]) -> Sequence[object] | np.ndarray:
        """The values as the record type has them. Raises NotPlain, or ValidationError for text that is refused."""
        kinds = set(map(type, values))
        if self.limits and kinds <= NUMBER_TYPES:
            return self._numbers(values, self.limits)
        if kinds == {str}:
            # A column of text often repeats itself: each distinct text is read once.
            known = {text: self._validate(text) for text in set(values)}
            return [known[text] for text in values]
        raise NotPlainError

    @staticmethod
    def _numbers(values: Sequence[object], limits: NumberLimits) -> np.ndarray:
        try:
            array = np.array(values, dtype=np.float64)
        except OverflowError:
            raise NotPlainError from None
        # NaN is outside every range.
        if not ((array >= limits.low) & (array <= limits.high)).all():
            raise NotPlainError
        if limits.whole and (array != np.floor(array)).any():
            raise NotPlainError
        return array
