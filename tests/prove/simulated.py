"""A small system of records, updater, answers and lake in virtual time, right but for the fault it is made with.

It writes histories as a run against the real stack does: what the checker is worth is seen by what it makes of them.
"""

import io
from collections import defaultdict
from collections.abc import Callable

from millrace.prove.checker import Observation, Verdict, check
from millrace.prove.history import HEALTHY, PROMOTION, History, Recorder, Reply
from millrace.prove.lake_model import LakeRow

BUGS = {
    "acknowledged before it is sent": "lost",
    "refused by Kafka and acknowledged": "lost",
    "landed twice": "doubled",
    "landed from nowhere": "invented",
    "a repeat counts": "miscounted",
    "applied twice": "wrong",
    "a record skipped": "wrong",
    "newest first": "wrong",
    "somebody else's events": "wrong",
    "updater stands still": "stale",
    "taken items are recommended": "stale",
    "stale champion": "stale",
    "500 while Kafka is down": "failed",
    "503 for no reason": "failed",
    "invalid events are accepted": "failed",
    "answers fail with Kafka": "failed",
}
"""What can be wrong with it, and the rule that this breaks."""
FIRST, SECOND = "v1", "v2"


class Simulation:
    """`advance` moves its clock; whoever drives it posts, asks, and breaks parts in between."""

    def __init__(self, bug: str = ""):
        self.bug, self.now = bug, 0.0
        self._target = io.StringIO()
        self.recorder = Recorder(self._target, lambda: self.now)
        self.log: list[LakeRow] = []
        self.applied = 0
        self.down: dict[str, int] = {}
        self.faults, self.sent = 0, defaultdict(int)
        self.champion, self.served = FIRST, FIRST
        self.unacknowledged: dict[str, list[dict]] = {}
        self.recorder.mark(PROMOTION, {"version": FIRST, "begun_at": 0.0, "done": True})

    def _is(self, bug: str) -> bool:
        return self.bug == bug

    def _ask(self, action: str, user: str, request, call: Callable[[], Reply]) -> Reply:
        return self.recorder.perform("client", action, user, request, call)

    def post(self, user: str, is_written: bool = True) -> Reply:
        """The user's next event, or once more the one that was not acknowledged. While Kafka is down the answer is 503,
        and `is_written` says whether the event was written all the same."""
        events = self.unacknowledged.pop(user, None)
        if events is None:
            number = self.sent[user]
            self.sent[user] += 1
            at = f"2026-11-01T00:{number // 60:02}:{number % 60:02}.000000+00:00"
            events = [{"user_id": user, "course_id": f"C{number}", "enrolled_at": at}]
        reply = self._ask("post", user, events, lambda: self._take(events[0], is_written))
        if reply.outcome == "unknown":
            self.unacknowledged[user] = events
        return reply

    def repeat(self, user: str) -> Reply | None:
        """An event of the user that is in the log, once more."""
        row = next((row for row in self.log if row.user == user), None)
        if row is None:
            return None
        event = {"user_id": user, "course_id": row.item, "enrolled_at": row.at}
        return self._ask("post", user, [event], lambda: self._take(event, True))

    def post_invalid(self, user: str) -> Reply:
        accepted = self._is("invalid events are accepted")
        body = {"positions": []}
        return self._ask("invalid", user, [{"user_id": user}], lambda: Reply(202, body) if accepted else Reply(422))

    def _take(self, event: dict, is_written: bool) -> Reply:
        self.now += 0.01
        offset = len(self.log)
        row = LakeRow(f"id {event['user_id']}/{event['course_id']}", 0, offset, *event.values())
        body = {"accepted": 1, "positions": [{"partition": 0, "offset": offset, "record_id": row.record_id}]}
        if "kafka" in self.down:
            if self._is("500 while Kafka is down"):
                return Reply(500)
            if self._is("refused by Kafka and acknowledged"):
                return Reply(202, body)
            if is_written:
                self.log.append(row)
            return Reply(503)
        if self._is("503 for no reason") and offset == 3:
            return Reply(503)
        # What was never sent leaves no gap: the next record has its offset.
        if not (self._is("acknowledged before it is sent") and offset == 3):
            self.log.append(row)
        return Reply(202, body)

    def history(self, user: str) -> Reply:
        return self._ask("history", user, None, lambda: self._answer(user))

    def recommend(self, user: str) -> Reply:
        def answer() -> Reply:
            reply = self._answer(user)
            taken = [item["id"] for item in reply.body["items"]] if reply.status == 200 else []
            free = [f"C{number}" for number in range(30) if f"C{number}" not in taken]
            shown = taken if self._is("taken items are recommended") and taken else free
            return Reply(200, {"items": [{"id": item} for item in shown[:5]], "version": self.served})

        return self._ask("recommendations", user, None, answer)

    def _answer(self, user: str) -> Reply:
        if "kafka" in self.down and self._is("answers fail with Kafka"):
            return Reply(503)
        rows = self.log[: self.applied]
        if self._is("a record skipped"):
            rows = [row for row in rows if row.offset != 2]
        if self._is("somebody else's events") and rows:
            user = rows[0].user
        mine = sorted({row.identity: row for row in rows if row.user == user}.values(), key=lambda row: row.at)
        items = [row.item for row in mine]
        if self._is("newest first"):
            items.reverse()
        if self._is("applied twice") and items:
            items.append(items[-1])
        if not items:
            return Reply(404, {"error": {}})
        return Reply(200, {"items": [{"id": item} for item in items], "version": self.served})

    def promote(self) -> None:
        """The second champion, served from the next step on."""
        begun_at = self.now
        self.champion = SECOND
        self.recorder.mark(PROMOTION, {"version": SECOND, "begun_at": begun_at, "done": True})

    def advance(self, seconds: float) -> None:
        """Time passes: what was written by then is applied, unless Kafka or the updater is down."""
        known = len(self.log)
        self.now += seconds
        if not self.down.keys() & {"kafka", "online"} and not (self._is("updater stands still") and known > 4):
            self.applied = known
        if not self._is("stale champion"):
            self.served = self.champion

    def break_part(self, part: str) -> None:
        """A part is down until `heal`."""
        if part not in self.down:
            self.down[part] = self.faults
            self.recorder.fault(self.faults, "begin", "pause", part)
            self.faults += 1

    def heal(self) -> None:
        """All parts are back, and seen to be so a second later."""
        for part, number in self.down.items():
            self.recorder.fault(number, "end", "pause", part)
        self.down.clear()
        self.advance(0.5)
        looked_at = self.now
        self.advance(0.5)
        self.recorder.mark(HEALTHY, looked_at)

    def observe(self) -> Observation:
        """Quiet: everything is acknowledged, applied and landed, and every promise due."""
        self.heal()
        for user in list(self.unacknowledged):
            self.post(user)
        self.advance(1)
        self.advance(60)
        finals = {}
        for user in self.sent:
            reply = self.history(user)
            finals[user] = [item["id"] for item in reply.body["items"]] if reply.status == 200 else []
            self.recommend(user)
        rows = list(self.log)
        if self._is("landed twice"):
            rows += rows[1:2]
        if self._is("landed from nowhere"):
            rows.append(LakeRow("id", 0, 10**6, "nobody", "C1", None))
        accepted = len(rows) if self._is("a repeat counts") else len({row.identity for row in rows})
        return Observation(self.read(), rows, rows, finals, accepted)

    def read(self) -> History:
        return History.from_lines(self._target.getvalue().splitlines())

    def verdict(self) -> Verdict:
        return check(self.observe())
