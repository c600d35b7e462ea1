"""The OpenAPI document: what FastAPI derives, the model of the one body it does not see, and paths that need no key."""

from collections.abc import Sequence
from functools import cache
from typing import cast

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from millrace.api.middleware.api_keys import AccessRules
from millrace.api.tensors import InferenceRequest
from millrace.api.work_queue import ANSWERS

PATH = "/openapi.json"
FASTAPI_ERROR = "HTTPValidationError"
"""The schema of FastAPI's own 422, which it documents for each path with parameters; ours has another form."""


def install_document(app: FastAPI, access: AccessRules, routes: Sequence[BaseRoute]) -> None:
    """Document these routes; those that need no key say so where others need one.

    FastAPI's own route would make the document on the event loop, for a second, and write its JSON for each request.
    """

    def make_document() -> dict[str, object]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=routes)
            _, definitions = models_json_schema(
                [(InferenceRequest, "validation")], ref_template="#/components/schemas/{model}"
            )
            schemas = cast("dict[str, object]", document["components"]["schemas"])
            schemas.update(definitions["$defs"])
            for name in (FASTAPI_ERROR, "ValidationError"):
                schemas.pop(name, None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    if FASTAPI_ERROR in str(operation["responses"].get("422")):
                        del operation["responses"]["422"]
                    if not access.is_open:
                        operation.setdefault("security", [])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = make_document  # type: ignore[method-assign]
    render = cache(lambda: orjson.dumps(make_document()))

    async def show_document(request: Request) -> Response:
        return Response(await ANSWERS.run(render), media_type="application/json")

    app.add_route(PATH, show_document, include_in_schema=False)
