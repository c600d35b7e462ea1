"""The live page: plain HTML, CSS and JavaScript of our own; nothing of it is loaded from elsewhere."""

from pathlib import Path

PAGE = "live.html"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    # Foreign titles are shown here: nothing but our own files runs, and nothing is loaded or sent elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def files() -> dict[str, tuple[str, bytes]]:
    """Name -> (media type, content) of the page and what it loads."""
    folder = Path(__file__).parent
    return {
        file.name: (TYPES[file.suffix], file.read_bytes()) for file in sorted(folder.iterdir()) if file.suffix in TYPES
    }
