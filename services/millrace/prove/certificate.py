"""What a run has shown, for people and for programs."""

import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from millrace import __version__
from millrace.prove.checker import Verdict
from millrace.prove.faults.kinds import KINDS, FaultKind, Need
from millrace.prove.history import FaultLine
from millrace.prove.schedule import Schedule

FORMAT = 1


@dataclass(frozen=True)
class Skipped:
    """A kind of fault that was left out, and why."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Certificate:
    """`proved` where no rule was broken. A certificate says what was tried, and no more than that."""

    schedule: Schedule
    verdict: Verdict
    made: dict[str, int]
    """`kind target` -> how often it was made."""
    failed: list[str]
    """Faults that could not be made, each with its reason."""
    skipped: list[Skipped]
    versions: dict[str, str]
    deadline_s: float

    @property
    def is_proved(self) -> bool:
        return self.verdict.is_proved

    def to_json(self) -> dict[str, Any]:
        """The certificate as one document."""
        return {
            "format": FORMAT,
            "result": "proved" if self.is_proved else "violated",
            "seed": self.schedule.seed,
            "seconds": self.schedule.seconds,
            "deadline_seconds": self.deadline_s,
            "faults": self.made,
            "faults_failed": self.failed,
            "skipped": [one.__dict__ for one in self.skipped],
            "counts": self.verdict.counts,
            "broken": self.verdict.totals,
            "violations": [violation._asdict() for violation in self.verdict.violations],
            "versions": self.versions,
            "schedule": self.schedule.to_json(),
        }

    def to_text(self) -> str:
        """The certificate for people."""
        lines = [f"{'PROVED' if self.is_proved else 'VIOLATED'}: seed {self.schedule.seed}"]
        lines[0] += f", {self.schedule.seconds:g} s, {sum(self.made.values())} faults"
        lines += [f"  made     {count} x {name}" for name, count in self.made.items()]
        lines += [f"  not made {sentence}" for sentence in self.failed]
        lines += [f"  skipped  {one.kind}: {one.reason}" for one in self.skipped]
        lines += [f"  checked  {count} {name}" for name, count in self.verdict.counts.items()]
        lines += [f"  deadline {self.deadline_s:g} s"]
        lines += [f"  version  {name}: {version}" for name, version in self.versions.items()]
        for rule, total in self.verdict.totals.items():
            lines.append(f"  BROKEN   {rule}: {total}")
            shown = [violation.sentence for violation in self.verdict.violations if violation.rule == rule]
            lines += [f"           {sentence}" for sentence in shown[:3]]
        return "\n".join(lines)


def make_certificate(
    schedule: Schedule,
    verdict: Verdict,
    faults: Iterable[FaultLine],
    skipped: Mapping[Need, str],
    versions: Mapping[str, str],
    deadline_s: float,
) -> Certificate:
    """The certificate of a run, from the faults as they were recorded."""
    lines = list(faults)
    failed = {line.number: f"{line.kind} {line.target}: {line.note}" for line in lines if line.phase == "failed"}
    made = Counter(
        f"{line.kind} {line.target}" for line in lines if line.phase == "begin" and line.number not in failed
    )
    known = {"python": platform.python_version(), "platform": sys.platform, "millrace": __version__}
    left_out = [Skipped(kind.name, reason) for kind, reason in list_skipped(skipped)]
    return Certificate(
        schedule,
        verdict,
        dict(sorted(made.items())),
        list(failed.values()),
        left_out,
        known | dict(versions),
        deadline_s,
    )


def list_skipped(skipped: Mapping[Need, str]) -> list[tuple[FaultKind, str]]:
    """The kinds whose needs are not met, with the reason."""
    return [(kind, skipped[kind.needs]) for kind in KINDS if kind.needs is not None and kind.needs in skipped]
