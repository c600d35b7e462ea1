"""Java's properties files, which are Latin-1 with escapes, whatever a value holds."""

from collections.abc import Mapping

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def format_properties(values: Mapping[str, object]) -> str:
    """The text of a properties file in ASCII. Format: java.util.Properties#load."""
    return "".join(f"{_escape(name, '=: #!')}={_escape(str(value), '')}\n" for name, value in values.items())


def _escape(text: str, special: str) -> str:
    escaped = "".join(_escape_character(character, special) for character in text)
    return f"\\{escaped}" if escaped.startswith(" ") else escaped


def _escape_character(character: str, special: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if character in special:
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index : index + 2].hex()}" for index in range(0, len(units), 2))
