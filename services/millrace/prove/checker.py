"""Where a history is not what the model says: each violation with what shows it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from millrace.prove.faults.kinds import POST, READ, READY, find_effect
from millrace.prove.history import HEALTHY, PROMOTION, UNSETTLED, FaultLine, History, Json, Operation
from millrace.prove.lake_model import Acknowledged, LakeRow, explain_count, explain_final, explain_lake
from millrace.prove.model import DEADLINE_S, Disturbance, Finding, Model, Promotion

MAX_PER_RULE = 20
"""Violations of one rule that are kept: a broken stack gives thousands that say the same."""
EFFECT_OF = {
    "post": POST,
    "invalid": POST,
    "history": READ,
    "recommendations": READ,
    "ready": READY,
}
"""By action of a client, what faults may excuse it as. An ingest that fails is run again, as the documents ask for."""
INVALID_STATUS = 422
NO_HISTORY_STATUS = 404


@dataclass(frozen=True)
class Observation:
    """A history and what was there in the end.

    `rows` landed since the start, None where the lake could not be read; `finals` are users' last histories.

    `fresh` are the rows that the champion's snapshot lacks, and `accepted` how many events readiness counts since;
    None where the stack did not say.
    """

    history: History
    rows: list[LakeRow] | None
    fresh: list[LakeRow] = field(default_factory=list)
    finals: dict[str, list[str]] = field(default_factory=dict)
    accepted: int | None = None


class Violation(NamedTuple):
    """What is not right, and the lines of the history and rows of the lake that show it."""

    rule: str
    sentence: str
    evidence: list[Json]


@dataclass(frozen=True)
class Verdict:
    """`violations` are the first of each rule, `totals` how many there are, `counts` what was looked at."""

    violations: list[Violation]
    totals: dict[str, int]
    counts: dict[str, int]

    @property
    def is_proved(self) -> bool:
        return not self.totals


def check(observation: Observation, deadline_s: float = DEADLINE_S) -> Verdict:
    """Judge a history by the model."""
    checker = Checker(observation, deadline_s)
    violations: list[Violation] = []
    totals: Counter[str] = Counter()
    for violation in checker.find_violations():
        totals[violation.rule] += 1
        if totals[violation.rule] <= MAX_PER_RULE:
            violations.append(violation)
    return Verdict(violations, dict(totals), checker.count())


def find_disturbances(history: History) -> list[Disturbance]:
    """What the faults excuse: each from its begin until the stack is healthy, or its time for recovery is over."""
    healthy = [(float(mark.value), mark.at) for mark in history.marks if mark.name == HEALTHY]
    begins = {line.number: line for line in history.faults if line.phase == "begin"}
    ends = {line.number: line.at for line in history.faults if line.phase != "begin"}
    disturbances = []
    for number, line in begins.items():
        effect = find_effect(line.kind, line.target)
        if not effect.may_fail and not effect.stale:
            continue
        ended = ends.get(number, float("inf"))
        # Whoever looked before the fault's end saw another stack.
        recovered = min((at for looked_at, at in healthy if looked_at >= ended), default=float("inf"))
        end = min(recovered, ended + effect.recovery_s)
        disturbances.append(Disturbance(line.at, end, effect.may_fail, effect.stale))
    return disturbances


class Checker:
    """Walks a history once for the model's transitions and once for its rules."""

    def __init__(self, observation: Observation, deadline_s: float):
        self._observation, self._history = observation, observation.history
        self._model = Model(find_disturbances(self._history), deadline_s)
        self._acknowledged: dict[Acknowledged, Operation] = {}
        self._sent: set[tuple[str, str]] = set()
        self._ingested: set[tuple[str, str]] = set()
        self._promotions = self._list_promotions()
        self._rows: dict[str, list[LakeRow]] = defaultdict(list)
        for row in observation.rows or ():
            self._rows[row.user].append(row)
        self._counts: Counter[str] = Counter()
        for operation in self._history.operations:
            self._learn(operation)

    def _learn(self, operation: Operation) -> None:
        """The transitions of the model."""
        if operation.action == "post":
            for number, event in enumerate(operation.request):
                self._learn_event(operation, event["user_id"], event["course_id"], number)
        elif operation.action == "ingest":
            for row in operation.request["rows"]:
                self._learn_row(operation, row["user_id"], row["course_id"])

    def _learn_event(self, operation: Operation, user: str, item: str, number: int) -> None:
        self._sent.add((user, item))
        self._model.post(user, item, operation.invoked_at)
        if operation.outcome == "done":
            self._model.acknowledge(user, item, operation.completed_at)
            position = operation.response["positions"][number]
            event = Acknowledged(user, item, position["record_id"], position["partition"], position["offset"])
            self._acknowledged[event] = operation

    def _learn_row(self, operation: Operation, user: str, item: str) -> None:
        """A row of a file that was ingested: where it landed is not known, since the ingest says ranges only."""
        self._sent.add((user, item))
        self._model.post(user, item, operation.invoked_at)
        if operation.outcome == "done":
            self._model.acknowledge(user, item, operation.completed_at)
            self._ingested.add((user, item))

    def _list_promotions(self) -> list[Promotion]:
        promotions = [
            Promotion(mark.value["version"], mark.value["begun_at"], mark.at if mark.value["done"] else None)
            for mark in self._history.marks
            if mark.name == PROMOTION
        ]
        return sorted(promotions, key=lambda promotion: promotion.begun_at)

    def find_violations(self) -> Iterator[Violation]:
        """Every violation there is."""
        for operation in self._history.operations:
            if finding := self._judge(operation):
                yield Violation(*finding, [describe(operation), *self._list_faults(operation)])
        yield from self._judge_lake()
        yield from self._judge_finals()
        for mark in self._history.marks:
            if mark.name == UNSETTLED:
                yield Violation("unsettled", str(mark.value), [])

    def _judge(self, operation: Operation) -> Finding | None:
        """The first rule that an operation breaks."""
        action, status = operation.action, operation.status
        if action not in EFFECT_OF or operation.outcome == "pending":
            return None
        if operation.outcome == "unknown":
            return self._model.explain_failure(EFFECT_OF[action], operation.invoked_at, operation.completed_at)
        if action == "invalid":
            refused = status == INVALID_STATUS
            return None if refused else Finding("failed", f"an invalid event was answered {status}, not 422")
        if action == "history" and status in (200, NO_HISTORY_STATUS):
            return self._judge_history(operation)
        if operation.outcome == "refused":
            return Finding("failed", f"{action} was answered {status}, which is never right")
        if action == "recommendations":
            items = {item["id"] for item in operation.response["items"]}
            finding = self._model.explain_recommendations(operation.user, items, operation.invoked_at)
            return finding or self._judge_version(operation)
        return None

    def _judge_history(self, operation: Operation) -> Finding | None:
        self._counts["histories"] += 1
        items = list_items(operation)
        finding = self._model.explain_history(operation.user, items, operation.invoked_at, operation.completed_at)
        return finding or (self._judge_version(operation) if operation.outcome == "done" else None)

    def _judge_version(self, operation: Operation) -> Finding | None:
        if not self._promotions:
            return None
        version = operation.response["version"]
        return self._model.explain_version(version, self._promotions, operation.invoked_at)

    def _judge_lake(self) -> Iterator[Violation]:
        if self._observation.rows is None:
            return
        findings = explain_lake(self._observation.rows, self._acknowledged, self._ingested, self._sent)
        for finding, event in findings:
            operation = self._acknowledged[event] if event else None
            yield Violation(*finding, [describe(operation), *self._list_faults(operation)] if operation else [])

    def _judge_finals(self) -> Iterator[Violation]:
        if self._observation.rows is None:
            return
        accepted = self._observation.accepted
        if accepted is not None and (finding := explain_count(accepted, self._observation.fresh)):
            yield Violation(*finding, [{"accepted": accepted}])
        for user, items in self._observation.finals.items():
            rows = self._rows.get(user, [])
            if finding := explain_final(user, items, rows):
                yield Violation(*finding, [{"row": str(row)} for row in rows])

    def _list_faults(self, operation: Operation) -> list[Json]:
        """The faults that began in the minute before an operation ended."""
        return [describe_fault(line) for line in self._history.faults if 0 <= operation.completed_at - line.at <= 60]

    def count(self) -> dict[str, int]:
        """What was looked at: requests by action and outcome, events, histories, rows."""
        for operation in self._history.operations:
            self._counts[f"{operation.action} {operation.outcome}"] += 1
        events = [event for log in self._model.users.values() for event in log.events]
        return dict(sorted(self._counts.items())) | {
            "events": len(events),
            "events acknowledged": sum(event.acknowledged_at is not None for event in events),
            "lake rows": len(self._observation.rows or ()),
            "final histories": len(self._observation.finals),
        }


def list_items(operation: Operation) -> list[str]:
    """The items of a history that was answered; none where the user has none."""
    return [item["id"] for item in operation.response["items"]] if operation.status == 200 else []


def describe(operation: Operation) -> Json:
    """An operation as evidence."""
    return {"operation": operation.__dict__}


def describe_fault(line: FaultLine) -> Json:
    """A fault as evidence."""
    return {"fault": line.__dict__}


def rules_of(violations: Iterable[Violation]) -> set[str]:
    """The rules that are broken."""
    return {violation.rule for violation in violations}
