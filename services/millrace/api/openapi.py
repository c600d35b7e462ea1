"""The OpenAPI document: what FastAPI derives, plus what endpoints read directly from the request."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from millrace.api.middleware.api_keys import AccessRules
from millrace.api.tensors import InferenceRequest

KEY_SCHEME = {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}


def install_document(app: FastAPI, access: AccessRules, schemas: Sequence[type[BaseModel]] = ()) -> None:
    """Write down which paths need a key by `access`; `schemas` are further answers."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            more = [(InferenceRequest, "validation"), *((model, "serialization") for model in schemas)]
            _, definitions = models_json_schema(more, ref_template="#/components/schemas/{model}")
            parts = schema.setdefault("components", {})
            parts.setdefault("schemas", {}).update(definitions["$defs"])
            if not access.is_open:
                parts["securitySchemes"] = KEY_SCHEME
                for path, operations in schema["paths"].items():
                    for operation in operations.values():
                        operation["security"] = [{"ApiKey": []}] if access.requires_key(path) else []
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
