"""Reading a resource so that no field of it goes unnoticed."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class Refused(Exception):
    """A field or value that the stand-in can't honour."""


class Section:
    """A part of a resource, whose fields are taken one by one.

    As a context manager it raises Refused at its end when a field was not taken, so that a field which the chart
    starts to set, and which the stand-in knows nothing of, can't be overlooked.
    """

    def __init__(self, values: dict[str, Any] | None, path: str):
        self.path = path
        self._left = dict(values or {})

    def __enter__(self) -> Section:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if error is None and self._left:
            raise Refused(f"{self.path}: the stand-in does not know {', '.join(sorted(self._left))}")

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, default: Any = None) -> Any:
        return self._left.pop(name, default)

    def need(self, name: str) -> Any:
        if name not in self._left:
            raise Refused(f"{self.path}.{name} is missing")
        return self._left.pop(name)

    def only(self, name: str, *allowed: Any) -> Any:
        """Take a field that may be absent, or have one of these values."""
        value = self._left.pop(name, None)
        if value is not None and value not in allowed:
            raise Refused(f"{self.path}.{name} is {value!r}; the stand-in runs {', '.join(map(repr, allowed))}")
        return value

    def sub(self, name: str) -> Section:
        return Section(self._left.pop(name, None), f"{self.path}.{name}")

    def subs(self, name: str) -> list[Section]:
        return [Section(item, f"{self.path}.{name}[{n}]") for n, item in enumerate(self._left.pop(name, None) or ())]


def whole(resource: dict[str, Any]) -> Section:
    """The spec of a resource."""
    return Section(resource.get("spec"), f"{resource['kind']} {resource['metadata']['name']}.spec")
