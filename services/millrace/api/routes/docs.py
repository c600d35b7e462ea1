"""`/docs`: a page of our own over openapi.json. It holds no data, so that it is open where there are keys."""

from millrace.api.documented import Declared
from millrace.web import DOCS, HEADERS, files


def declare(declared: Declared) -> None:
    """Add the page and what it loads."""
    for name, (media_type, content) in files(DOCS).items():
        path = "/docs" if name == DOCS else f"/docs/{name}"
        declared.file(path, media_type, content, HEADERS, None, "docs")
