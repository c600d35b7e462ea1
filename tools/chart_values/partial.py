"""A model of which any part may be given: for values of one workload over those of all."""

from copy import copy
from typing import Any

from pydantic import create_model
from pydantic.fields import FieldInfo

from chart_values.common import ABSENT, Area


def partial(model: type[Area], without: tuple[str, ...] = ()) -> type[Area]:
    """The same fields with the same limits, none of them required."""
    optional = {name: _optional(field) for name, field in model.model_fields.items() if name not in without}
    fields: dict[str, Any] = {name: (one.annotation, one) for name, one in optional.items()}
    made = create_model(f"{model.__name__}Over", __base__=Area, **fields)
    made.__doc__ = model.__doc__
    return made


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _optional(field: FieldInfo) -> FieldInfo:
    made = copy(field)
    made.default = ABSENT
    made.json_schema_extra = _without_default
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Area):
        made.annotation = partial(kind)
    return made
