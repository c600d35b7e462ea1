"""The pages: plain HTML, CSS and JavaScript of our own; nothing of them is loaded from elsewhere."""

from pathlib import Path

PAGE, DOCS = "live.html", "docs.html"
PARTS = {
    PAGE: ("charts.js", "live.css", "live.js", "page.js", "stream.js", "tables.js"),
    DOCS: ("docs.css", "docs.js", "live.css", "page.js"),
}
"""What each page loads."""
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    # Foreign titles are shown here: nothing but our own files runs, and nothing is loaded or sent elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def load_files(page: str = PAGE) -> dict[str, tuple[str, bytes]]:
    """Name -> (media type, content) of a page and what it loads."""
    folder = Path(__file__).parent
    return {name: (TYPES[Path(name).suffix], (folder / name).read_bytes()) for name in (page, *PARTS[page])}
