"""The OpenAPI document: what FastAPI derives, plus what its endpoints read off the request themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from millrace.api.tensors import InferenceRequest

HEADER = {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
OPEN = "/health/"


def install(app: FastAPI, keys: bool) -> None:
    """`keys`: whether a call needs an API key."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            _, definitions = models_json_schema(
                [(InferenceRequest, "validation")], ref_template="#/components/schemas/{model}"
            )
            parts = found.setdefault("components", {})
            parts.setdefault("schemas", {}).update(definitions["$defs"])
            if keys:
                parts["securitySchemes"] = HEADER
                for path, operations in found["paths"].items():
                    for operation in operations.values():
                        operation["security"] = [] if OPEN in path else [{"ApiKey": []}]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
