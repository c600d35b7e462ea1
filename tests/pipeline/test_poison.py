"""A record that Connect can read and the lake can't hold: the watch of the running stack takes it out of the way."""

from contextlib import closing

import orjson
import pytest

from millrace.ingest.rejected_rows import list_rejected
from millrace.lake import sink, tables
from millrace.messaging.dead_letters import find_positions
from millrace.messaging.producer import make_producer
from millrace.messaging.reader import end_offsets, read_all
from millrace.workloads import find_workload
from tests.waiting import until

RENTALS = find_workload("rentals")
KEY = b"poisoned"  # all in one partition


def make_record(number: int, listed_at: str = "2026-01-10T08:00:00Z") -> bytes:
    record = {"flat_id": f"P{number}", "rooms": 1, "rent": 1.0, "listed_at": listed_at, "rating": None}
    return orjson.dumps(record | {"record_id": f"poison-{number}"})


def landed_ids() -> list[str]:
    rows = tables.load_table("rentals").scan(row_filter="record_id LIKE 'poison-%'").to_arrow()
    return sorted(rows.column("record_id").to_pylist())


@pytest.mark.thorough
def test_poisoned_record_cures_itself_and_no_other_is_lost(stack):
    before = end_offsets(RENTALS.records_topic)
    poisoned = {50: "2026-13-45T00:00:00Z", 120: "yesterday"}
    with closing(make_producer()) as producer:
        for number in range(200):
            record = make_record(number, poisoned[number]) if number in poisoned else make_record(number)
            producer.send(RENTALS.records_topic, KEY, record)
        producer.flush()
    good = sorted(f"poison-{number}" for number in range(200) if number not in poisoned)
    until(lambda: len(landed_ids()) >= len(good), "the rows around the poisoned records in the lake", 180)
    assert landed_ids() == good

    (partition,) = {message.partition for message in read_all(RENTALS.records_topic) if message.key == KEY}
    rows = [row for row in list_rejected(RENTALS) if '"record_id":"poison-' in row["raw"]]
    assert [row["source"] for row in rows] == [
        f"{RENTALS.records_topic}/{partition}/{before.get(partition, 0) + number}" for number in sorted(poisoned)
    ]
    assert all(row["message"].startswith("listed_at: ") and row["code"] == "connect_rejected" for row in rows)
    assert {(partition, before.get(partition, 0) + number) for number in poisoned} <= find_positions(
        RENTALS.records_topic
    )
    until(lambda: [task["state"] for task in sink.sink_status("rentals")["tasks"]] == ["RUNNING"], "the sink", 60)
    assert "could not land" in (stack / "logs/supervisor.log").read_text()
    assert not list((stack / "skips").glob("*.json"))
