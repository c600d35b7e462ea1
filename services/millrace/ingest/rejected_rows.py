"""Rejected rows: counted by reason, listed, and published after a fix.

Two topics hold them: `<workload>.rejected` for rows that the contract refused, and `connect.rejected` for messages
that Kafka Connect could not read. Both are shown together; a replayed row leaves a tombstone and is gone.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from millrace.ingest.check import RecordChecker
from millrace.messaging.dead_letters import DeadLetter, read_dead_letters
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import read_all
from millrace.messaging.topics import DEAD_LETTERS
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.readers import RawRow
from millrace.workloads.base import Workload


def list_rejected(workload: Workload) -> Iterator[dict[str, Any]]:
    """Every row that is rejected now, oldest first, each with code, message, raw text and position."""
    places: dict[bytes, int] = {}
    for message in read_all(workload.rejected_topic):
        if message.key:
            places[message.key] = -1 if message.value is None else message.offset
    for message in read_all(workload.rejected_topic):
        if message.key and message.value is not None and places.get(message.key) == message.offset:
            yield orjson.loads(message.value) | {"topic": workload.rejected_topic, "offset": message.offset}
    for letter in read_dead_letters(workload.records_topic):
        yield from_dead_letter(workload, letter)


def from_dead_letter(workload: Workload, letter: DeadLetter) -> dict[str, Any]:
    """A message of Connect's dead-letter topic in the form of a rejected row."""
    message, headers = letter.message, letter.context
    return {
        "workload": workload.name,
        "code": "connect_rejected",
        "field": None,
        "message": headers.get("exception.message", "Kafka Connect could not read the message"),
        "raw": (message.value or b"").decode("utf-8", "backslashreplace"),
        "values": None,
        "source": f"{headers.get('topic')}/{headers.get('partition')}/{headers.get('offset')}",
        "row": None,
        "record_id": None,
        "topic": DEAD_LETTERS,
        "offset": message.offset,
    }


def count_rejected(workload: Workload) -> dict[str, int]:
    """Rejected rows by reason code."""
    return dict(sorted(Counter(row["code"] for row in list_rejected(workload)).items()))


def replay_rejected(workload: Workload) -> dict[str, Any]:
    """Check every rejected row again, after the workload's own repair, and publish what passes now.

    A row is published and then forgotten, in that order: a kill between the two makes a record that training reads
    once, because the id stays the same. Returns {"replayed", "recovered", "still_rejected": {code: n}}.
    """
    client = make_producer()
    still: Counter[str] = Counter()
    replayed = recovered = 0
    try:
        for row in list_rejected(workload):
            outcomes = list(_check_again(workload, row))
            if not outcomes or not all(isinstance(outcome, AcceptedRecord) for outcome in outcomes):
                still[row["code"]] += 1
                continue
            for outcome in outcomes:
                client.send(workload.records_topic, outcome.key, outcome.value)
            client.flush()
            client.send(workload.rejected_topic, row["record_id"].encode(), None)
            replayed += 1
            recovered += len(outcomes)
        client.flush()
    finally:
        client.close()
    result = {"workload": workload.name, "replayed": replayed, "recovered": recovered}
    return result | {"still_rejected": dict(sorted(still.items()))}


def _check_again(workload: Workload, row: dict[str, Any]) -> Iterator[Any]:
    """What the row becomes now. Ids are derived from the first one, so that a second replay gives the same."""
    if row["values"] is None:
        return
    for number, values in enumerate(workload.repair(row["values"])):
        checker = RecordChecker(workload, row["source"])
        yield checker.check_row(RawRow(number, f"{row['record_id']}:{number}", values))
