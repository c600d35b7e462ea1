"""JDBC addresses of SQLite files whose path may hold anything."""

import os
from pathlib import Path
from urllib.parse import quote, unquote

SQLITE = "jdbc:sqlite:"
URI = f"{SQLITE}file:"


def to_jdbc(file: Path) -> str:
    """The address of a file, as a URI in ASCII (https://sqlite.org/uri.html)."""
    return f"{URI}{quote(os.fsencode(file))}"


def to_file(jdbc: str) -> Path | None:
    """The file that an address names, also one that is no URI; None where it is not SQLite's."""
    if jdbc.startswith(URI):
        return Path(unquote(jdbc.removeprefix(URI), errors="surrogateescape"))
    return Path(jdbc.removeprefix(SQLITE)) if jdbc.startswith(SQLITE) else None
