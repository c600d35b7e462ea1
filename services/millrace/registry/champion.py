"""champion.json: which version of a model is served, and which ones were before."""

from dataclasses import dataclass
from typing import Any

import orjson

from millrace.errors import CorruptError

MAX_HISTORY = 100  # earlier champions remembered for rollback


@dataclass(frozen=True)
class Champion:
    """What is served: `previous` is what `rollback` goes back to; `etag` guards the next move."""

    version: str
    promoted_at: str
    history: list[str]
    """Earlier champions, the latest last."""
    etag: str

    @property
    def previous(self) -> str | None:
        return self.history[-1] if self.history else None

    def next_history(self) -> list[str]:
        """The history of the champion that comes after this one."""
        return [*self.history, self.version][-MAX_HISTORY:]


def format_champion(version: str, promoted_at: str, history: list[str]) -> bytes:
    """champion.json: `history` are versions, the newest last."""
    previous = history[-1] if history else None
    return orjson.dumps(
        {"version": version, "promoted_at": promoted_at, "previous": previous, "history": history[-MAX_HISTORY:]}
    )


def parse_champion(content: bytes, etag: str, where: str = "champion.json") -> Champion:
    """Raises CorruptError that names the file when it is not a champion."""
    try:
        body: Any = orjson.loads(content)
        version, promoted_at, history = body["version"], body["promoted_at"], body["history"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CorruptError(f"{where} can't be read: {error!r}.", field="champion.json") from None
    texts = [version, promoted_at, *(history if isinstance(history, list) else [None])]
    if not all(isinstance(text, str) for text in texts):
        raise CorruptError(f"{where} can't be read: version and history must be text.", field="champion.json")
    return Champion(version, promoted_at, history, etag)
