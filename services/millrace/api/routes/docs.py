"""`/docs`: our own page over openapi.json. It holds no data, so it stays open when API keys are on."""

from fastapi import APIRouter

from millrace.api.responses import add_file, error_responses
from millrace.web import DOCS, HEADERS, load_files


def make_router() -> APIRouter:
    """The page and what it loads."""
    router = APIRouter(tags=["docs"], responses=error_responses(403))
    for name, (media_type, content) in load_files(DOCS).items():
        path = "/docs" if name == DOCS else f"/docs/{name}"
        add_file(router, path, media_type, content, HEADERS)
    return router
