"""What happened, as JSON lines: who asked what when, what came back, and which faults were on meanwhile.

A request has two lines, so that what was under way when the recorder ended is known too. All times are seconds of one
monotonic clock since the recorder's start; no wall clock decides what came before what.

    {"at": 0.013, "line": "invoke", "id": 4, "client": "poster-1", "action": "post", "user": "prove-1-0",
     "request": [{"user_id": ..., "course_id": ..., "enrolled_at": ...}]}
    {"at": 0.035, "line": "complete", "id": 4, "outcome": "done", "status": 202, "response": {...}}
    {"at": 9.200, "line": "fault", "number": 0, "phase": "begin", "kind": "kill", "target": "kafka", "note": ""}
    {"at": 21.70, "line": "mark", "name": "healthy", "value": null}
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

import orjson

Json = Any
"""What JSON can hold; a history keeps requests and answers as they were."""
Outcome = Literal["done", "unknown", "refused", "pending"]
"""`done`: acknowledged or answered. `unknown`: a 503, or no answer: it may have happened. `refused`: any other status.
`pending`: it had not come back when the recorder ended, which is as good as unknown."""
DONE_STATUSES = (200, 202)
HEALTHY = "healthy"
"""The mark of a moment at which the stack called itself healthy, all of it."""

PROMOTION = "promotion"
"""The mark of a champion: {"version", "begun_at", "done": false where it is not known whether it was promoted}."""
UNSETTLED = "unsettled"
"""The mark of a stack that did not recover after the faults; its value says what is missing."""


@dataclass(frozen=True)
class Reply:
    """What came back: `status` is None where nothing did."""

    status: int | None
    body: Json = None

    @property
    def outcome(self) -> Outcome:
        if self.status in DONE_STATUSES:
            return "done"
        return "unknown" if self.status in (None, 503) else "refused"


@dataclass(frozen=True)
class Operation:
    """A request with its outcome. `completed_at` is infinite while it is pending."""

    id: int
    client: str
    action: str
    user: str
    request: Json
    invoked_at: float
    completed_at: float = float("inf")
    outcome: Outcome = "pending"
    status: int | None = None
    response: Json = None


@dataclass(frozen=True)
class FaultLine:
    """A fault that began, ended, or could not be made (`failed`); `number` is its place in the schedule."""

    at: float
    number: int
    phase: Literal["begin", "end", "failed"]
    kind: str
    target: str
    note: str = ""


@dataclass(frozen=True)
class Mark:
    """A moment with a name."""

    at: float
    name: str
    value: Json = None


@dataclass
class History:
    """A whole history: operations in the order of their invocation."""

    operations: list[Operation] = field(default_factory=list)
    faults: list[FaultLine] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @classmethod
    def from_lines(cls, lines: Iterable[bytes | str]) -> "History":
        """Read what a recorder wrote; a last line that was cut off is left out."""
        history, open_operations = cls(), dict[int, dict[str, Json]]()
        for line in lines:
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                break
            kind, at = entry.pop("line"), entry.pop("at")
            match kind:
                case "invoke":
                    open_operations[entry["id"]] = {**entry, "invoked_at": at}
                case "complete":
                    open_operations[entry["id"]] |= {**entry, "completed_at": at}
                case "fault":
                    history.faults.append(FaultLine(at, **entry))
                case _:
                    history.marks.append(Mark(at, **entry))
        history.operations = [Operation(**values) for values in open_operations.values()]
        return history

    @classmethod
    def read(cls, file: Path) -> "History":
        """The history in a file."""
        with file.open("rb") as lines:
            return cls.from_lines(lines)

    def select(self, *actions: str) -> Iterator[Operation]:
        """The operations with one of these actions."""
        return (operation for operation in self.operations if operation.action in actions)


class Recorder:
    """Writes a history as it happens. Every method may be called by any thread."""

    def __init__(self, target: TextIO, clock: Callable[[], float] = time.monotonic):
        self._target, self._clock = target, clock
        self._started = clock()
        self._lock = threading.Lock()
        self._next_id = 0
        self._done_at: dict[str, float] = {}

    def now(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def perform(self, client: str, action: str, user: str, request: Json, call: Callable[[], Reply]) -> Reply:
        """Record an operation around its call. What the call raises is recorded as unknown, and raised."""
        with self._lock:
            number = self._next_id
            self._next_id += 1
            # Within the lock, so that lines stand in the order of their times.
            self._write("invoke", id=number, client=client, action=action, user=user, request=request)
        reply = Reply(None)
        try:
            reply = call()
            return reply
        finally:
            with self._lock:
                if reply.outcome == "done":
                    self._done_at[action] = self.now()
                values = {"outcome": reply.outcome, "status": reply.status, "response": reply.body}
                self._write("complete", id=number, **values)

    def last_done(self, action: str) -> float:
        """When an operation with this action last came back well; minus infinity where none has."""
        with self._lock:
            return self._done_at.get(action, float("-inf"))

    def fault(
        self, number: int, phase: Literal["begin", "end", "failed"], kind: str, target: str, note: str = ""
    ) -> None:
        """Record that a fault began, ended or could not be made."""
        with self._lock:
            self._write("fault", number=number, phase=phase, kind=kind, target=target, note=note)

    def mark(self, name: str, value: Json = None) -> None:
        """Record a moment."""
        with self._lock:
            self._write("mark", name=name, value=value)

    def _write(self, line: str, **values: Json) -> None:
        entry = {"at": round(self.now(), 6), "line": line, **values}
        self._target.write(orjson.dumps(entry).decode() + "\n")
        self._target.flush()
