"""Request bodies: derived from the record contract and a model's features, read fast, refused with a sentence."""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from millrace.errors import BadInput, TooLarge
from millrace.records.contract import explain, unwrapped
from millrace.records.numbers import shown
from millrace.settings import settings
from millrace.workloads.base import ClusterModel, Workload


def request_model(workload: Workload, model: ClusterModel, optional: tuple[str, ...] = ()) -> type[BaseModel]:
    """One row of a request: the model's features with the record's own types, so that text is read the same way.

    A feature with a default may be left out; `optional` fields are checked when they are given.
    """
    fields: dict[str, Any] = {}
    for feature in model.features:
        kind, _ = unwrapped(workload.record.model_fields[feature.field].annotation)
        kind = _annotated(kind, workload.record.model_fields[feature.field].metadata)
        fields[feature.field] = (kind, ...) if feature.default is None else (kind, feature.default)
    for name in optional:
        info = workload.record.model_fields[name]
        kind, _ = unwrapped(info.annotation)
        fields[name] = (_annotated(kind, info.metadata) | None, None)
    title = f"{workload.name}_{model.name}".title().replace("_", "")
    return create_model(title, __config__=ConfigDict(extra="ignore", title=title), **fields)


def _annotated(kind: Any, metadata: list[Any]) -> Any:
    """The field's type with the annotations that pydantic took off it (reading rules of plain fields)."""
    from typing import Annotated, get_origin

    if get_origin(kind) is Annotated or not metadata:
        return kind
    return Annotated[(kind, *metadata)]


class Body:
    """Reads the body of one path: `one` an object, `many` a list of them, `either` what it turns out to be."""

    def __init__(self, row: type[BaseModel]):
        self.row = row
        self._one = TypeAdapter(row).validator.validate_python
        self._many = TypeAdapter(list[row]).validator.validate_python

    def one(self, body: bytes) -> tuple[Any, Any]:
        given = parse(body)
        if not isinstance(given, dict):
            raise BadInput(
                f"body: {shown(given)} is not usable; allowed: a JSON object with {self.fields}",
                field="body",
                allowed="a JSON object",
            )
        return self._checked(self._one, given), given

    def many(self, body: bytes) -> tuple[list[Any], list[Any]]:
        given = parse(body)
        if not isinstance(given, list):
            raise BadInput(
                f"body: {shown(given)} is not usable; allowed: a JSON list of objects with {self.fields}",
                field="body",
                allowed="a JSON list",
            )
        limit = settings().api_list_limit
        if len(given) > limit:
            raise TooLarge(
                f"The list has {len(given)} rows; allowed: {limit}. Send the rows in several requests.",
                field="body",
                allowed=f"{limit} rows",
            )
        return self._checked(self._many, given), given

    def checked_rows(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Rows that are objects already. Raises BadInput for the first that is not acceptable."""
        return self._checked(self._many, rows)

    @property
    def fields(self) -> str:
        return ", ".join(self.row.model_fields)

    def _checked(self, validate: Any, given: Any) -> Any:
        try:
            return validate(given)
        except ValidationError as error:
            code, field, message = explain(error)
            context = error.errors(include_url=False)[0].get("ctx", {})
            raise BadInput(message, code=code, field=field, allowed=context.get("allowed")) from None


def parse(body: bytes) -> Any:
    """The JSON value of a body. Raises BadInput that says where it stops being JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = str(error) if body else "it is empty"
        raise BadInput(f"body: is not JSON: {what}", code="bad_json", field="body", allowed="JSON in UTF-8") from None
