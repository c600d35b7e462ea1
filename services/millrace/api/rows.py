"""Request bodies: derived from the record contract and a model's features, read fast, rejected with a clear message."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol, cast, get_origin

import orjson
from pydantic import BaseModel, ConfigDict, FailFast, TypeAdapter, ValidationError, create_model

from millrace.api.column_reader import ColumnReader, NotPlainError
from millrace.errors import BadInputError, TooLargeError
from millrace.records.contract import unwrap_optional
from millrace.records.numbers import show
from millrace.settings import settings
from millrace.workloads.base import Feature, Workload

MAX_NESTED_PER_ROW = 4  # lists and objects of a body for each row that a list may have; brackets in texts count too
Columns = Mapping[str, Sequence[object]]


def find_field_type(workload: Workload, name: str) -> type:
    """The record's type of a field, a value required, with the annotations that pydantic took off it."""
    info = workload.record.model_fields[name]
    kind, _ = unwrap_optional(info.annotation)
    whole = kind if get_origin(kind) is Annotated or not info.metadata else Annotated[(kind, *info.metadata)]
    return cast("type", whole)  # there is no narrower word for annotated types and unions before TypeForm


class ModelInputs(Protocol):
    """A model's name and what it is asked with."""

    @property
    def name(self) -> str: ...

    @property
    def features(self) -> tuple[Feature, ...]: ...


def make_request_model(workload: Workload, model: ModelInputs, optional: tuple[str, ...] = ()) -> type[BaseModel]:
    """One row of a request: the model's features with the record's own types, so that text is read the same way.

    A feature with a default may be left out; `optional` fields are checked when they are given.
    """
    fields: dict[str, Any] = {}
    for feature in model.features:
        kind = find_field_type(workload, feature.field)
        fields[feature.field] = (kind, ...) if feature.default is None else (kind, feature.default)
    for name in optional:
        fields.setdefault(name, (find_field_type(workload, name), None))
    title = f"{workload.name}_{model.name}{'_kept' if optional else ''}".title().replace("_", "")
    return create_model(title, __config__=ConfigDict(extra="ignore", title=title), **fields)


class RowReader:
    """Reads rows for one model: single objects, lists of them, or columns."""

    def __init__(self, workload: Workload, model: ModelInputs, optional: tuple[str, ...] = ()):
        self.row = make_request_model(workload, model, optional)
        self.features = tuple(feature.field for feature in model.features)
        self._optional = tuple(name for name in optional if name not in self.features)
        self.columns = {name: ColumnReader(find_field_type(workload, name)) for name in self.features}
        self._one = TypeAdapter(self.row).validator.validate_python
        # The row is made at run time, so its list is no type to a checker. The first error is the one that is told.
        rows: Any = Annotated[list[self.row], FailFast()]
        self._many = TypeAdapter(rows).validator.validate_python
        self._shape = f"a JSON object with {', '.join(self.row.model_fields)}"

    def read_one(self, row_value: object) -> Columns:
        """The columns, one value long, of a row. Raises BadInputError."""
        if not isinstance(row_value, dict):
            raise self._reject(row_value, self._shape)
        try:
            row = self._one(row_value)
        except ValidationError as error:
            raise to_bad_input(error) from None
        return {name: (getattr(row, name),) for name in self.features}

    def check_list(self, rows: object) -> list[object]:
        """A list of rows that is not too long. Raises BadInputError or TooLargeError."""
        if not isinstance(rows, list):
            raise self._reject(rows, f"a JSON list, each row {self._shape}")
        check_length(len(rows))
        return rows

    def read_many(self, rows: list[object]) -> Columns:
        """The columns of a list that `check_list` accepted. Raises BadInputError."""
        mappings = cast("list[dict[str, object]]", rows)  # those that are none raise TypeError
        try:
            columns = {name: [row[name] for row in mappings] for name in self.features}
            if any(name in row for name in self._optional for row in mappings):
                raise NotPlainError
            return self._read_fast(columns)
        except (NotPlainError, ValidationError, KeyError, TypeError):
            return self._read_exact(rows)

    def read_columns(self, columns: Mapping[str, list[object]]) -> Columns:
        """Columns of equal length, checked. Raises BadInputError."""
        try:
            if set(columns) != set(self.features):
                raise NotPlainError
            return self._read_fast(columns)
        except (NotPlainError, ValidationError):
            return self._read_exact(
                [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            )

    def _read_fast(self, columns: Columns) -> Columns:
        parsed: dict[str, Any] = {name: column.read(columns[name]) for name, column in self.columns.items()}
        return parsed

    def _read_exact(self, rows: Sequence[object]) -> Columns:
        try:
            checked = self._many(rows)
        except ValidationError as error:
            raise to_bad_input(error) from None
        return {name: [getattr(row, name) for row in checked] for name in self.features}

    @staticmethod
    def _reject(value: object, allowed: str) -> BadInputError:
        return BadInputError(f"body: {show(value)} is not usable; allowed: {allowed}.", field="body", allowed=allowed)


def check_length(rows: int) -> None:
    """Raises TooLargeError for more rows than `api_list_limit`."""
    limit = settings().api_list_limit
    if rows > limit:
        raise TooLargeError(
            f"body: {rows} rows are too many; allowed: {limit} rows. Send them in several requests.",
            field="body",
            allowed=f"{limit} rows",
        )


def parse_json(content: bytes) -> object:
    """The JSON value of a body.

    Raises BadInputError that says where it stops being JSON, TooLargeError for more objects and lists than any list of
    rows has: 2 MB of `[],[],` would take half a second, which nobody else is answered in.
    """
    limit = MAX_NESTED_PER_ROW * settings().api_list_limit
    if len(content) > limit and (nested := content.count(b"[") + content.count(b"{")) > limit:
        raise TooLargeError(
            f"body: begins {nested} lists and objects; allowed: {limit}. Send the rows in several requests.",
            field="body",
            allowed=f"{limit} lists and objects",
        )
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        what = f"is not JSON: {error}" if content.strip() else "is empty"
        allowed = "JSON in UTF-8"
        raise BadInputError(
            f"body: {what}; allowed: {allowed}.", code="bad_json", field="body", allowed=allowed
        ) from None


def describe_allowed(kind: str, context: Mapping[str, object]) -> str | None:
    """What is allowed, in JSON's words, where pydantic found an error of this kind; None for kinds of our own."""
    template = {
        "model_type": "a JSON object",
        "dict_type": "a JSON object",
        "list_type": "a JSON list",
        "string_type": "text",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "int_parsing": "a whole number",
        "float_type": "a number",
        "bool_type": "true, false",
        "none_required": "null",
        "too_long": "at most {max_length} items",
        "too_short": "{min_length} or more items",
        "string_too_long": "text of at most {max_length} characters",
        "string_too_short": "text of {min_length} or more characters",
        "literal_error": "{expected}",
        "enum": "{expected}",
        "greater_than_equal": "{ge} or more",
        "less_than_equal": "at most {le}",
        "string_unicode": "text without unpaired surrogates",
    }.get(kind)
    return template and template.format(**context)


def to_bad_input(error: ValidationError) -> BadInputError:
    """The first thing wrong: `rating`, or `[3].rating` in a list; its value; what is allowed."""
    first = error.errors(include_url=False)[0]
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]]
    field = "".join(steps).removeprefix(".") or "body"
    context = first.get("ctx", {})
    if first["type"] == "missing":
        allowed = f"a value for {first['loc'][-1]}"
        return BadInputError(f"{field}: is missing; allowed: {allowed}.", code="missing", field=field, allowed=allowed)
    if "allowed" in context:
        return BadInputError(f"{field}: {first['msg']}", code=first["type"], field=field, allowed=context["allowed"])
    allowed = describe_allowed(first["type"], context) or first["msg"].removeprefix("Input should be ")
    what = f"{show(first['input'])} is not usable"
    if first["type"] == "too_long":
        what = f"has {context['actual_length']} items"
    sentence = f"{field}: {what}; allowed: {allowed}."
    return BadInputError(sentence, code=first["type"], field=field, allowed=allowed)
