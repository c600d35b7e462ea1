"""Passwords in URLs: `https://user:secret@host/` is read as `https://host/`, whatever field or row it stands in."""

import re
from typing import Any

import orjson

from millrace.records.lines import RawRow

# User and password before a host (RFC 3986, section 3.2.1); the last @ ends them. A user alone stays: it is no secret.
CREDENTIALS = re.compile(r"(^\s*//|[A-Za-z0-9+.-]://)([^\s/?#\\:]*:[^\s/?#\\]*@)")
# In text that is not cut into fields they also end at what parts these; JSON may escape a slash.
CREDENTIALS_IN_RAW = re.compile(r"(/\\?/)([^\s/?#\\:,;|\"']*:[^\s/?#\\,;|\"']*@)")


def remove_password(text: str) -> str:
    """Text whose URLs have no user and password before their host; a user without a password stays."""
    return CREDENTIALS.sub(r"\1", text) if "@" in text else text


def remove_passwords(row: RawRow) -> tuple[RawRow, bool]:
    """The row without passwords in URLs, in its values and in its raw text, and whether there were any."""
    raw = row.raw
    changed: dict[str, Any] = {}
    for name, value in (row.values or {}).items():
        if isinstance(value, str):
            for match in CREDENTIALS.finditer(value):
                changed[name] = remove_password(value)
                raw = raw.replace(match[2], "").replace(f"{match[2][:-1]}\\u0040", "")
        elif isinstance(value, list | dict):
            cleaned = _remove_passwords_inside(value)
            if cleaned is not None:
                changed[name] = cleaned
    raw = CREDENTIALS_IN_RAW.sub(r"\1", raw)
    if not changed and (row.values is not None or raw == row.raw):
        return row._replace(raw=raw), False
    return row._replace(raw=raw, values=row.values and row.values | changed), True


def _remove_passwords_inside(value: list[Any] | dict[str, Any]) -> list[Any] | dict[str, Any] | None:
    """The value without passwords; None where it has none or is too deep to be kept at all."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        return None
    cleaned = CREDENTIALS_IN_RAW.sub(r"\1", text)
    return orjson.loads(cleaned) if cleaned != text else None
