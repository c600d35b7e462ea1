"""Passwords in URLs: `https://user:secret@host/` is read as `https://host/`, whatever field or row it stands in."""

import json
import re
from collections.abc import Iterator
from typing import Any

from millrace.records.lines import RawRow

# User and password before a host (RFC 3986, section 3.2.1); the last @ ends them. A user alone stays: it is no secret.
CREDENTIALS = re.compile(r"(^\s*//|[A-Za-z0-9+.-]://)([^\s/?#\\:]*:[^\s/?#\\]*@)")
# A value that is a URL from its first character on may hold blanks before the @, which browsers send as %20.
CREDENTIALS_WITH_BLANKS = re.compile(
    r"(^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)([^/?#\\:@]*:[^/?#\\]*@)(?=[^\s/?#\\@]+\s*(?:[/?#\\]|$))"
)
# In text that is not cut into fields they also end at what parts these; quotes are doubled by CSV and escaped by JSON,
# which may escape a slash too.
CREDENTIALS_IN_RAW = re.compile(r"""(/\\?/)((?:[^\s/?#\\:,;|"']|""|\\")*:(?:[^\s/?#\\,;|"']|""|\\")*@)""")
MAX_DEPTH = 200
"""Levels of a nested value that are looked through; what is nested deeper is not kept at all."""


def remove_password(text: str) -> str:
    """Text whose URLs have no user and password before their host; a user without a password stays."""
    if "@" not in text:
        return text
    return CREDENTIALS.sub(r"\1", CREDENTIALS_WITH_BLANKS.sub(r"\1", text))


def remove_passwords(row: RawRow) -> tuple[RawRow, bool]:
    """The row without passwords in URLs, in its values and in its raw text, and whether there were any."""
    credentials: set[str] = set()
    values = None if row.values is None else _clean_object(row.values, credentials, 0)
    raw = row.raw
    for text in credentials:
        for form in _raw_forms(text):
            raw = raw.replace(form, "")
    raw = CREDENTIALS_IN_RAW.sub(r"\1", raw)
    had_password = bool(credentials) if row.values is not None else raw != row.raw
    return row._replace(raw=raw, values=values), had_password


def _clean(value: object, credentials: set[str], depth: int) -> object:
    """The value with cleaned texts; what was taken out of them is added to `credentials`."""
    if isinstance(value, str):
        if "@" in value:
            for pattern in (CREDENTIALS_WITH_BLANKS, CREDENTIALS):
                credentials.update(match[2] for match in pattern.finditer(value))
            return remove_password(value)
        return value
    if depth > MAX_DEPTH or not isinstance(value, list | dict):
        return value
    if isinstance(value, list):
        return [_clean(part, credentials, depth + 1) for part in value]
    return _clean_object(value, credentials, depth)


def _clean_object(values: dict[str, Any], credentials: set[str], depth: int) -> dict[str, Any]:
    return {name: _clean(value, credentials, depth + 1) for name, value in values.items()}


def _raw_forms(credentials: str) -> Iterator[str]:
    """How CSV and JSON write the text, the longest first: what is a part of another must not be taken out of it."""
    forms = {
        credentials,
        credentials.replace('"', '""'),
        json.dumps(credentials)[1:-1],
        json.dumps(credentials, ensure_ascii=False)[1:-1],
    }
    forms |= {form.replace("@", "\\u0040") for form in forms}
    return iter(sorted(forms, key=len, reverse=True))
