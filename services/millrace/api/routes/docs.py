"""`/docs`: our own page over openapi.json. It holds no data, so it stays open when API keys are on."""

from millrace.api.declarations import RouteRegistry
from millrace.web import DOCS, HEADERS, load_files


def declare(declared: RouteRegistry) -> None:
    """Add the page and what it loads."""
    for name, (media_type, content) in load_files(DOCS).items():
        path = "/docs" if name == DOCS else f"/docs/{name}"
        declared.add_file(path, media_type, content, HEADERS, None, "docs")
