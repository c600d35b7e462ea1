"""All values together, and the JSON schema that helm checks them with."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import create_model

from chart_values.common import Area

MODULES = (
    "general", "kafka", "connect", "catalog", "storage", "provision",
    "api", "training", "stream", "online", "ingest", "monitoring",
)  # fmt: skip


def areas() -> dict[str, Any]:
    """Top-level key -> model, in the order of values.yaml."""
    results: dict[str, Any] = {}
    for name in MODULES:
        results |= import_module(f"chart_values.{name}").AREAS
    return results


FIELDS: dict[str, Any] = {key: (model, ...) for key, model in areas().items()}
Values = create_model("Values", __base__=Area, **FIELDS)
Values.__doc__ = "The values of the chart millrace."


def schema() -> dict[str, Any]:
    """As helm reads it, from version 3.18 on (draft 2020-12)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | tidy_schema(
        Values.model_json_schema(by_alias=True)
    )


def tidy_schema(document: Mapping[str, object]) -> dict[str, Any]:
    """Without pydantic's titles, which repeat the keys."""
    return {key: tidy(value) for key, value in document.items() if not (key == "title" and isinstance(value, str))}


def tidy(part: object) -> object:
    """A part of a schema without the titles of the schemas in it."""
    if isinstance(part, list):
        return [tidy(item) for item in part]
    return tidy_schema(part) if isinstance(part, dict) else part
