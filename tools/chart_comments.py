"""Write the comments of values.yaml from the models in tools/chart_values: `tools/chart_comments.py [--check]`.

A key's comment is the docstring of its field, a top-level key's the first paragraph of its model. Lines that begin with
a blank stay as they are, other lines are wrapped. CPU and memory get no comment, and neither do keys of Kubernetes' own
objects. `--check` writes nothing and fails when a comment differs from its model.
"""

import re
import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).parent))

from chart_values.common import Area, Resources
from chart_values.root import Values
from pydantic.fields import FieldInfo

FILE = Path(__file__).parents[1] / "charts/millrace/values.yaml"
WIDTH = 120
KEY = re.compile(r"( *)([A-Za-z0-9_]+):")


def find_area(annotation: object) -> type[Area] | None:
    """The model that a field's annotation names, alone, in a list or in a union."""
    if isinstance(annotation, type) and issubclass(annotation, Area):
        return annotation
    return next((area for part in get_args(annotation) if (area := find_area(part))), None)


def find_field(area: type[Area], key: str) -> FieldInfo | None:
    """The field of a key, by its name or its alias."""
    return next((field for name, field in area.model_fields.items() if key in (name, field.alias)), None)


def describe(path: tuple[str, ...]) -> str | None:
    """What the models say of the key at a path; None for keys that are Kubernetes' own."""
    area: type[Area] | None = Values
    text = None
    for depth, key in enumerate(path):
        field = find_field(area, key) if area and area is not Resources else None
        if field is None:
            return None
        area = find_area(field.annotation)
        text = field.description
        if depth == 0 and area is not None:
            text = " ".join((area.__doc__ or "").strip().split("\n\n")[0].split())
    return text


def comment(text: str, prefix: str) -> list[str]:
    """The text as comment lines; runs of lines that begin with no blank are one paragraph."""
    result: list[str] = []
    for laid_out, lines in groupby(text.split("\n"), key=lambda line: line.startswith(" ")):
        if laid_out:
            result += [prefix + line for line in lines]
        else:
            result += textwrap.wrap(" ".join(lines), WIDTH, initial_indent=prefix, subsequent_indent=prefix)
    return result


def rewrite(lines: list[str]) -> list[str]:
    """The lines with every comment that stands above a described key written anew."""
    result: list[str] = []
    path: list[tuple[int, str]] = []
    for line in lines:
        match = KEY.match(line)
        if match is None:
            result.append(line)
            continue
        indent = len(match[1])
        path = [*((depth, key) for depth, key in path if depth < indent), (indent, match[2])]
        text = describe(tuple(key for _, key in path))
        if text:
            while result and result[-1].startswith(f"{match[1]}#"):
                result.pop()
            result += comment(text, f"{match[1]}# ")
        result.append(line)
    return result


def main() -> None:
    lines = FILE.read_text().split("\n")
    head = next(number for number, line in enumerate(lines) if not line.strip())
    content = "\n".join([*lines[: head + 1], *rewrite(lines[head + 1 :])])
    if "--check" not in sys.argv[1:]:
        FILE.write_text(content)
    elif FILE.read_text() != content:
        sys.exit(f"{FILE.name} is not what tools/chart_values says: run tools/chart_comments.py and commit the file.")


if __name__ == "__main__":
    main()
