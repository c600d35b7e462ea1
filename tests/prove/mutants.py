"""Small patches of Millrace that each break a promise: `millrace prove` must catch every one of them.

A mutant replaces one text of one file. Its schedule has the faults without which the mistake would not show, and
`rules` are those of which at least one must be broken.
"""

from pathlib import Path
from typing import NamedTuple

from millrace.prove.schedule import Fault, Schedule
from tests.conftest import ROOT

SECONDS = 45.0


class Mutant(NamedTuple):
    """`file` is below services/millrace; `before` stands in it exactly once."""

    name: str
    file: str
    before: str
    after: str
    rules: frozenset[str]
    faults: tuple[Fault, ...] = ()

    @property
    def schedule(self) -> Schedule:
        return Schedule(7, SECONDS, self.faults)

    @property
    def path(self) -> Path:
        return ROOT / "services/millrace" / self.file

    def apply(self, services: Path) -> None:
        """Patch a copy of the folder services."""
        file = services / "millrace" / self.file
        file.write_text(self.patch(file.read_text()))

    def patch(self, text: str) -> str:
        """The patched text of the file."""
        assert text.count(self.before) == 1, (
            f"{self.name}: its text stands {text.count(self.before)} times in {self.file}"
        )
        return text.replace(self.before, self.after)


KILL_KAFKA = (Fault("kill", "kafka", 12.0),)
KILL_UPDATER = tuple(Fault("kill", "online", at) for at in (8.0, 20.0, 32.0))
MUTANTS = (
    Mutant(
        "acknowledged before it is sent",
        "api/routes/events.py",
        "        places = await outbox.send(workload.records_topic, [message for _, message in messages])\n",
        "        import asyncio\n"
        "        asyncio.ensure_future(outbox.send(workload.records_topic, [message for _, message in messages]))\n"
        "        places = [(0, 0)] * len(messages)\n",
        frozenset({"lost"}),
    ),
    Mutant(
        "acknowledged although the broker has not",
        "messaging/outbox.py",
        '                raise self._unavailable(f"{type(failed).__name__}: {failed}")\n',
        "                return [(0, 0)] * len(messages)\n",
        frozenset({"lost"}),
        KILL_KAFKA,
    ),
    Mutant(
        "no acknowledgement is waited for",
        "messaging/outbox.py",
        '            acks="all",\n',
        "            acks=0,\n",
        frozenset({"lost"}),
        KILL_KAFKA,
    ),
    Mutant(
        "the last event of a list is not written",
        "messaging/outbox.py",
        "                    future = client.send(topic, key=key, value=value)\n",
        "                    if number and number == len(messages) - 1:\n"
        "                        sent.record(number, (0, 0))\n"
        "                        continue\n"
        "                    future = client.send(topic, key=key, value=value)\n",
        frozenset({"lost"}),
    ),
    Mutant(
        "a delta is applied twice",
        "serving/overlays.py",
        '                self.users[name] = value["items"]\n',
        '                self.users[name] = self.users.get(name, []) + value["items"]\n',
        frozenset({"wrong"}),
    ),
    Mutant(
        "a repeated event counts again",
        "online/event_counts.py",
        "        identity = record_hash(record, self.base.workload.identity)\n",
        "        identity = abs(hash(arrival))\n",
        frozenset({"wrong", "miscounted"}),
    ),
    Mutant(
        "the first change of a batch is not sent",
        "online/state_publisher.py",
        "self.send(claim, chain([first], messages))\n",
        "self.send(claim, messages)\n",
        frozenset({"stale", "wrong"}),
    ),
    Mutant(
        "a restarted updater takes what it finds for what it counts",
        "online/state_publisher.py",
        "            if published.pop(encoded, None) != hash_value(value):\n",
        "            if published.pop(encoded, None) is None:\n",
        frozenset({"stale", "wrong"}),
        KILL_UPDATER,
    ),
    Mutant(
        "a fence is left out",
        "messaging/fence.py",
        "        if not self.epoch <= epoch <= message.offset:\n",
        "        if epoch > message.offset:\n",
        frozenset({"stale", "wrong"}),
        (Fault("pause", "online", 10.0, 12.0), Fault("twin", "online", 12.0, 20.0)),
    ),
    Mutant(
        "a stale champion is served",
        "serving/model_store.py",
        "        if before and before.manifest.version == champion.version:\n",
        "        if before:\n",
        frozenset({"stale"}),
        (Fault("swap", "registry", 5.0),),
    ),
    Mutant(
        "a gap in the records goes unchecked",
        "online/recall.py",
        "        if wanted > ends[part]:\n",
        "        if wanted < 0:\n",
        frozenset({"stale", "wrong", "unsettled", "miscounted"}),
        (Fault("recreate", "records", 15.0),),
    ),
    Mutant(
        "what was taken is recommended",
        "serving/kinds/recommender.py",
        "keep_known=keep_known))\n",
        "keep_known=True))\n",
        frozenset({"stale"}),
    ),
    Mutant(
        "a broker that is away is a fault of the API",
        "api/fast_path.py",
        "            status, reply = error.status, Reply(",
        "            status, reply = 500 if error.status == 503 else error.status, Reply(",
        frozenset({"failed"}),
        KILL_KAFKA,
    ),
    Mutant(
        "a receipt is written before its records",
        "ingest/publish.py",
        "        client = make_producer()\n        try:\n",
        "        client = make_producer()\n"
        "        if key:\n"
        '            receipts.write_receipt(client, key, {"workload": workload.name, "read": 0, "accepted": 0,\n'
        '                "rejected": {}, "duplicates": 0, "conflicts": 0, "seconds": 0, "offsets": {}})\n'
        "        try:\n",
        frozenset({"lost"}),
        (Fault("reingest", "ingest", 6.0),),
    ),
    Mutant(
        "a dead process is not started again",
        "local/supervisor.py",
        "            self.launch(spec)\n\n    def see_start",
        "            pass\n\n    def see_start",
        frozenset({"unsettled", "failed", "stale"}),
        (Fault("kill", "online", 8.0),),
    ),
)
