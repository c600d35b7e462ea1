"""champion.json: which version of a model is served, which ones were before, and whether it is pinned."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from millrace.errors import CorruptError

MAX_HISTORY = 100  # earlier champions remembered for rollback


@dataclass(frozen=True)
class Pin:
    """Holds a champion: trainings go on publishing versions, and none of them is promoted until the pin is lifted."""

    since: str
    """ISO 8601, UTC, to the second."""
    by: str
    """The command that set it: `rollback` or `pin`."""


@dataclass(frozen=True)
class Champion:
    """What is served: `previous` is what `rollback` goes back to; `etag` guards the next move."""

    version: str
    promoted_at: str
    history: list[str]
    """Earlier champions, the latest last."""
    etag: str
    pin: Pin | None = None
    updated_at: str = ""
    """When champion.json was written: later than `promoted_at` where only the pin has changed since."""

    @property
    def previous(self) -> str | None:
        return self.history[-1] if self.history else None

    def next_history(self) -> list[str]:
        """The history of the champion that comes after this one."""
        return [*self.history, self.version][-MAX_HISTORY:]


def explain_pin(full_name: str, version: str, pin: Pin) -> str:
    """Why no other version of `full_name` (workload/model) is promoted, and what lifts the pin."""
    return f"pinned to {version} since {pin.since} by {pin.by}; `millrace models unpin {full_name}` lifts it"


def format_champion(
    version: str, promoted_at: str, history: list[str], pin: Pin | None = None, updated_at: str | None = None
) -> bytes:
    """champion.json: `history` are versions, the newest last. `updated_at` is `promoted_at` where it is left out."""
    previous = history[-1] if history else None
    return orjson.dumps(
        {
            "version": version,
            "promoted_at": promoted_at,
            "previous": previous,
            "history": history[-MAX_HISTORY:],
            "pin": asdict(pin) if pin else None,
            "updated_at": updated_at or promoted_at,
        }
    )


def parse_champion(content: bytes, etag: str, where: str = "champion.json") -> Champion:
    """Raises CorruptError that names the file when it is not a champion.

    A file written before there were pins has neither `pin` nor `updated_at`: it is read as not pinned.
    """
    try:
        body: Any = orjson.loads(content)
        version, promoted_at, history = body["version"], body["promoted_at"], body["history"]
        updated_at, pin = body.get("updated_at", promoted_at), body.get("pin")
        pin = Pin(pin["since"], pin["by"]) if pin is not None else None
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CorruptError(f"{where} can't be read: {error!r}.", field="champion.json") from None
    texts = [version, promoted_at, updated_at, *(history if isinstance(history, list) else [None])]
    texts += [pin.since, pin.by] if pin else []
    if not all(isinstance(text, str) for text in texts):
        raise CorruptError(
            f"{where} can't be read: version, history, times and pin must be text.", field="champion.json"
        )
    return Champion(version, promoted_at, history, etag, pin, updated_at)
