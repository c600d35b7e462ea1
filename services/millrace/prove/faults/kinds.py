"""The declared list of faults: what each hits, how often it is drawn, what it needs, and what it excuses.

A kind that is not in this list can't be in a schedule; one whose needs are not met here is named as skipped.
"""

from dataclasses import dataclass
from typing import Literal

Need = Literal["mount", "faketime"]
"""`mount`: the right to mount a tmpfs, which root has. `faketime`: libfaketime, found on this machine."""
POST, READ, READY = "post", "read", "ready"
ACTIONS = (POST, READ, READY)
"""What clients ask for, by what a fault can do to it: events; histories and recommendations; readiness."""
SESSION_TIMEOUT_S = 10.0
"""Seconds after which Kafka takes a member of Connect's groups for dead (local/connect.py, lake/sink.py)."""


@dataclass(frozen=True)
class Effect:
    """What a fault of a target excuses while it lasts and until the stack is healthy again, for `recovery_s` seconds.

    An action of `may_fail` may be answered 503 or not at all. `stale`: answers may be older than promised. Whatever is
    on, nothing acknowledged may be lost, nothing may count twice, and no answer may be of no serial order.
    """

    may_fail: frozenset[str]
    stale: bool
    recovery_s: float


@dataclass(frozen=True)
class FaultKind:
    """A fault that schedules are drawn from: `seconds` are the shortest and the longest time that it lasts."""

    name: str
    targets: tuple[str, ...]
    weight: int
    seconds: tuple[float, float]
    needs: Need | None = None
    drains: bool = False
    """Whether all that was acknowledged must have landed before it: what it destroys is promised to nobody then."""
    sentence: str = ""


NOTHING: frozenset[str] = frozenset()
NO_EXCUSE = Effect(NOTHING, stale=False, recovery_s=0)
EFFECTS = {
    # The supervisor's pauses between two starts grow to 30 s; a broker reads its log again before it listens.
    "kafka": Effect(frozenset({POST}), stale=True, recovery_s=90),
    "s3": Effect(NOTHING, stale=True, recovery_s=60),
    "connect": Effect(NOTHING, stale=False, recovery_s=60),
    "api": Effect(frozenset(ACTIONS), stale=True, recovery_s=75),
    "worker": Effect(frozenset(ACTIONS), stale=True, recovery_s=75),
    "online": Effect(NOTHING, stale=True, recovery_s=75),
    "records": Effect(frozenset({POST}), stale=True, recovery_s=90),
    "ingest": NO_EXCUSE,
    "registry": NO_EXCUSE,
}
"""By target. A fault of a process that only writes the lake, or moves a champion, excuses no answer at all."""
PAUSE_S = (SESSION_TIMEOUT_S + 1.5, SESSION_TIMEOUT_S + 8)
SHORT_S = (3.0, 15.0)
KINDS = (
    FaultKind(
        "kill",
        ("kafka", "s3", "connect", "api", "worker", "online"),
        weight=8,
        seconds=(0, 0),
        sentence="kill -9 of a process; its supervisor starts it again",
    ),
    FaultKind(
        "pause",
        ("kafka", "s3", "connect", "worker", "online"),
        weight=4,
        seconds=PAUSE_S,
        sentence="SIGSTOP for longer than Kafka's session timeout, then SIGCONT",
    ),
    FaultKind("refuse", ("kafka", "s3"), weight=2, seconds=SHORT_S, sentence="connections are refused"),
    FaultKind("reset", ("kafka", "s3"), weight=2, seconds=SHORT_S, sentence="every connection is reset"),
    FaultKind("blackhole", ("kafka", "s3"), weight=2, seconds=SHORT_S, sentence="nothing passes, nothing is closed"),
    FaultKind("slow", ("kafka", "s3"), weight=1, seconds=SHORT_S, sentence="every piece is late"),
    FaultKind("unavailable", ("s3",), weight=2, seconds=SHORT_S, sentence="S3 answers 503 SlowDown"),
    FaultKind("cut", ("s3",), weight=2, seconds=SHORT_S, sentence="S3's answers end in mid-body"),
    FaultKind("torn", ("s3",), weight=2, seconds=SHORT_S, sentence="what is written to S3 ends in mid-body"),
    FaultKind(
        "full", ("kafka", "s3"), weight=2, seconds=SHORT_S, needs="mount", sentence="the disk, a small tmpfs, is full"
    ),
    FaultKind(
        "clock",
        ("api", "online"),
        weight=1,
        seconds=SHORT_S,
        needs="faketime",
        sentence="the clock of a process is off",
    ),
    FaultKind(
        "recreate", ("records",), weight=1, seconds=(0, 0), drains=True, sentence="the records topic is recreated"
    ),
    FaultKind("twin", ("online",), weight=2, seconds=(8.0, 25.0), sentence="a second updater runs beside the first"),
    FaultKind(
        "reingest",
        ("ingest",),
        weight=2,
        seconds=(0, 0),
        sentence="two ingests of one file at once, one of them killed",
    ),
    FaultKind("swap", ("registry",), weight=2, seconds=(0, 0), sentence="another champion is promoted"),
)
BY_NAME = {kind.name: kind for kind in KINDS}
PROXIED = ("kafka", "s3")
"""Targets that clients reach through a proxy."""
PROXY_MODES = ("refuse", "reset", "blackhole", "slow", "unavailable", "cut", "torn")
"""Kinds that are modes of that proxy."""


UNEXCUSED = ("twin", "clock")
"""Kinds that excuse nothing, whatever they hit: a second updater must change no answer, nor must a wrong clock."""
MAX_CLOCK_OFFSET_S = 600
"""Seconds by which a clock is wrong at the most: S3 refuses what is signed by one that is off by 900."""


def find_effect(kind: str, target: str) -> Effect:
    """What a fault excuses."""
    return NO_EXCUSE if kind in UNEXCUSED else EFFECTS[target]
