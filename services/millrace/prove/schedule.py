"""A schedule: which fault begins when, for how long, on what. Drawn from a seed, kept as JSON, and run again from it.

{"format": 1, "seed": 7, "seconds": 60.0,
 "faults": [{"kind": "kill", "target": "kafka", "begin": 4.31, "seconds": 0.0}, ...]}
"""

import random
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from millrace.errors import BadInputError
from millrace.prove.faults.kinds import BY_NAME, KINDS, FaultKind

FORMAT = 1
MEAN_GAP_S = 9.0
"""Seconds between the begins of two faults, on average."""
LEAD_S = 3.0
"""Seconds without a fault at the beginning: there is something to lose by then."""
TAIL_S = 5.0
"""Seconds at the end in which no fault begins."""
MIN_SECONDS, MAX_SECONDS = 10.0, 24 * 3600.0


@dataclass(frozen=True)
class Fault:
    """One fault: `begin` and `seconds` as the clients' run goes, not as the stack's start does."""

    kind: str
    target: str
    begin: float
    seconds: float = 0.0

    @property
    def end(self) -> float:
        return self.begin + self.seconds


@dataclass(frozen=True)
class Schedule:
    """The faults of a run of `seconds`, in the order in which they begin. `seed` also draws what the clients do."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]

    def to_json(self) -> dict[str, Any]:
        """As `parse` reads it."""
        return {"format": FORMAT, **asdict(self), "faults": [asdict(fault) for fault in self.faults]}

    def without(self, places: Collection[int]) -> "Schedule":
        """The same run without the faults at these places."""
        kept = (fault for index, fault in enumerate(self.faults) if index not in places)
        return replace(self, faults=tuple(kept))

    def save(self, file: Path) -> None:
        """Write it where `load` finds it."""
        file.write_bytes(orjson.dumps(self.to_json(), option=orjson.OPT_INDENT_2))


def generate(seed: int, seconds: float, kinds: Iterable[FaultKind] = KINDS) -> Schedule:
    """The schedule of a seed: the same for the same seed, length and kinds.

    Two faults of a target never overlap, since the second would find nothing to hit. Raises BadInputError for a run
    that is too short for a fault, or too long.
    """
    check_seconds(seconds)
    choices = [(kind, target) for kind in kinds for target in kind.targets]
    if not choices:
        return Schedule(seed, seconds, ())
    # Of a kind with many targets each is drawn as often as its share.
    weights = [kind.weight / len(kind.targets) for kind, _ in choices]
    dice = random.Random(f"schedule {seed}")
    faults: list[Fault] = []
    free_at: dict[str, float] = {}
    begin = LEAD_S
    while begin < seconds - TAIL_S:
        kind, target = dice.choices(choices, weights)[0]
        lasting = min(round(dice.uniform(*kind.seconds), 2), round(seconds - begin, 2))
        if begin >= free_at.get(target, 0.0):
            fault = Fault(kind.name, target, round(begin, 2), lasting)
            faults.append(fault)
            free_at[target] = fault.end + 1
        begin += dice.expovariate(1 / MEAN_GAP_S)
    return Schedule(seed, seconds, tuple(faults))


def load(file: Path) -> Schedule:
    """The schedule in a file. Raises BadInputError that names what is wrong."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadInputError(f"{file} can't be read: {error.strerror}.", field="replay") from None
    return parse(content, str(file))


def parse(content: bytes, name: str = "schedule") -> Schedule:
    """A schedule from its JSON. Raises BadInputError that names the field, the value and what is allowed."""
    try:
        values = orjson.loads(content)
        stated_format = values["format"]
        if stated_format != FORMAT:
            raise _reject(name, "format", stated_format, str(FORMAT))
        faults = [_parse_fault(name, index, value) for index, value in enumerate(values["faults"])]
        seed, seconds = int(values["seed"]), float(values["seconds"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        allowed = "a schedule as `millrace prove` writes it"
        reason = f"{type(error).__name__}: {error}"
        raise BadInputError(f"{name} is not usable ({reason}); allowed: {allowed}.", field="replay") from None
    check_seconds(seconds)
    return Schedule(seed, seconds, tuple(sorted(faults, key=lambda fault: fault.begin)))


def check_seconds(seconds: float) -> None:
    """Raises BadInputError for a length that is no run."""
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        allowed = f"{MIN_SECONDS:g} to {MAX_SECONDS:g} seconds"
        raise BadInputError(f"A run of {seconds:g} seconds is not usable; allowed: {allowed}.", allowed=allowed)


def _parse_fault(name: str, index: int, value: dict[str, Any]) -> Fault:
    fault = Fault(value["kind"], value["target"], float(value["begin"]), float(value["seconds"]))
    kind = BY_NAME.get(fault.kind)
    where = f"faults[{index}]"
    if kind is None:
        raise _reject(name, f"{where}.kind", fault.kind, ", ".join(BY_NAME))
    if fault.target not in kind.targets:
        raise _reject(name, f"{where}.target", fault.target, ", ".join(kind.targets))
    if not (fault.begin >= 0 and 0 <= fault.seconds < float("inf")):
        raise _reject(name, where, [fault.begin, fault.seconds], "begin and seconds of 0 or more")
    return fault


def _reject(name: str, field: str, value: object, allowed: str) -> BadInputError:
    return BadInputError(f"{name}: {field}: {value!r} is not usable; allowed: {allowed}.", field=field, allowed=allowed)
