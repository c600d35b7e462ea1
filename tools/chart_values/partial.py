"""A model of which any part may be given: for values of one workload over those of all."""

from copy import copy

from pydantic import create_model
from pydantic.fields import FieldInfo

from chart_values.common import Area


def partial(model: type[Area], without: tuple[str, ...] = ()) -> type[Area]:
    """The same fields with the same limits, none of them required."""
    fields = {name: _optional(field) for name, field in model.model_fields.items() if name not in without}
    made = create_model(
        f"{model.__name__}Over", __base__=Area, **{name: (one.annotation, one) for name, one in fields.items()}
    )
    made.__doc__ = model.__doc__
    return made


def _optional(field: FieldInfo) -> FieldInfo:
    made = copy(field)
    made.default = None
    # None is no value that a file could hold: it only says that the key is not required.
    made.json_schema_extra = lambda schema: schema.pop("default", None)
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Area):
        made.annotation = partial(kind)
    return made
