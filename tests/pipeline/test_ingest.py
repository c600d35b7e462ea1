"""From a source to Kafka: counts that add up, rejected rows that can come back, and no row lost to a signal."""

import json
import os
import signal
import time

import orjson
import pytest

from millrace.errors import UnavailableError
from millrace.ingest import rejected_rows
from millrace.ingest.publish import ingest_source, validate_source
from millrace.lake.gaps import read_dead_letters, read_gaps, record_dead_letters
from millrace.lake.offset_ranges import count_offsets, subtract_ranges
from millrace.lake.progress import count_published, wait_until_landed
from millrace.messaging.reader import end_offsets, read_all
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.conftest import generated
from tests.pipeline.command import millrace, started


def test_every_row_read_is_accepted_rejected_or_a_duplicate(stack, tmp_path):
    file = generated(find_workload("products"), 1500, 11, tmp_path)
    before = count_published(find_workload("products"))
    counts = ingest_source(find_workload("products"), str(file))
    assert counts["read"] == 1500
    assert counts["read"] == counts["accepted"] + sum(counts["rejected"].values()) + counts["duplicates"]
    assert counts["rejected"]
    assert counts["duplicates"]
    assert count_published(find_workload("products")) - before == counts["accepted"]
    assert validate_source(find_workload("products"), str(file)).as_dict().items() <= counts.items()


def test_reingesting_same_file_publishes_nothing(stack, tmp_path):
    file = generated(find_workload("products"), 300, 12, tmp_path)
    first = ingest_source(find_workload("products"), str(file))
    before = count_published(find_workload("products"))
    again = ingest_source(find_workload("products"), str(file))
    assert again["already"]
    assert again["accepted"] == first["accepted"]
    assert count_published(find_workload("products")) == before


def test_records_with_same_identity_share_a_partition(stack, tmp_path):
    file = generated(find_workload("products"), 400, 13, tmp_path)
    ingest_source(find_workload("products"), str(file))
    places: dict[str, set[int]] = {}
    for message in read_all("products.records"):
        assert message.key.decode() == orjson.loads(message.value)["product_id"]
        places.setdefault(message.key.decode(), set()).add(message.partition)
    assert len(end_offsets("products.records")) == settings().kafka_partitions
    assert all(len(partitions) == 1 for partitions in places.values())


def test_rejected_rows_are_counted_listed_and_recovered_by_replay(stack, tmp_path):
    courses = find_workload("courses")
    file = generated(courses, 2500, 14, tmp_path)
    before = rejected_rows.count_rejected(courses)
    counts = ingest_source(courses, str(file))
    after = rejected_rows.count_rejected(courses)
    assert {code: after[code] - before.get(code, 0) for code in counts["rejected"]} == counts["rejected"]
    swallowed = [row for row in rejected_rows.list_rejected(courses) if row["code"] == "swallowed_record"]
    assert swallowed
    assert all("\n" in row["raw"] and row["source"] and row["row"] for row in swallowed)
    records = count_published(courses)
    replayed = rejected_rows.replay_rejected(courses)
    assert replayed["replayed"] == len(swallowed)
    assert replayed["recovered"] == 2 * len(swallowed)
    assert count_published(courses) - records == 2 * len(swallowed)
    assert "swallowed_record" not in rejected_rows.count_rejected(courses)
    assert rejected_rows.replay_rejected(courses)["replayed"] == 0


def test_standard_input_is_read_as_json_lines(stack):
    row = {"flat_id": "stdin-1", "rooms": 2, "rent": "€700", "listed_at": "2026-03-01", "rating": None}
    code, counts, _ = millrace("ingest", "rentals", "-", stdin=json.dumps(row).encode() + b"\nnot json\n")
    assert code == 0
    assert (counts["read"], counts["accepted"], counts["rejected"]) == (2, 1, {"bad_json": 1})


def test_two_successive_pipes_are_each_published_in_full(stack, tmp_path):
    before = count_published(find_workload("rentals"))
    accepted = 0
    for seed in (21, 22):
        reading, writing = os.pipe()
        content = generated(find_workload("rentals"), 40, seed, tmp_path).read_bytes()
        os.set_blocking(writing, False)
        assert os.write(writing, content) == len(content)
        os.close(writing)
        counts = ingest_source(find_workload("rentals"), f"/dev/fd/{reading}")
        os.close(reading)
        assert (counts["read"], counts["already"]) == (40, False)
        accepted += counts["accepted"]
    assert count_published(find_workload("rentals")) - before == accepted


def test_ingest_stopped_by_sigterm_has_every_counted_record_acknowledged(stack, tmp_path):
    file = generated(find_workload("rentals"), 20_000, 15, tmp_path)
    before = count_published(find_workload("rentals"))
    process = started("ingest", "rentals", str(file), "--rate", "500/s")
    while count_published(find_workload("rentals")) == before:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    counts = json.loads(output)
    assert process.returncode == 130
    assert counts["interrupted"]
    assert 0 < counts["read"] < 20_000
    assert count_published(find_workload("rentals")) - before == counts["accepted"]


def test_unavailable_broker_raises_one_sentence_error_without_hanging(stack, tmp_path, monkeypatch):
    file = generated(find_workload("rentals"), 10, 16, tmp_path)
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MILLRACE_KAFKA_TIMEOUT", "2")
    settings.cache_clear()
    try:
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1 gave no answer within 2 s.*millrace up"):
            ingest_source(find_workload("rentals"), str(file))
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_both_producers_send_same_key_to_same_partition(stack, monkeypatch):
    from millrace.messaging.producer import make_producer

    for client in ("kafka-python", "confluent-kafka"):
        monkeypatch.setenv("MILLRACE_KAFKA_CLIENT", client)
        settings.cache_clear()
        made = make_producer()
        for number in range(50):
            made.send("connect.rejected", f"key-{number}".encode(), client.encode())
        made.flush()
        assert made.acknowledged == 50
        made.close()
    monkeypatch.undo()
    settings.cache_clear()
    places: dict[bytes, set[int]] = {}
    for message in read_all("connect.rejected"):
        places.setdefault(message.key, set()).add(message.partition)
    assert all(len(partitions) == 1 for partitions in places.values())


def test_messages_unreadable_by_connect_become_dead_letters_and_rejected_rows(stack):
    from millrace.messaging.producer import make_producer

    made = make_producer()
    made.send("rentals.records", b"x", b"{not json")
    made.send(
        "rentals.records", b"x", b'{"flat_id":"x","rooms":"many","rent":1,"listed_at":"2026-01-01","record_id":"x"}'
    )
    made.flush()
    made.close()
    deadline = time.monotonic() + 60
    while (
        len(
            result := [
                row
                for row in rejected_rows.list_rejected(find_workload("rentals"))
                if row["code"] == "connect_rejected"
            ]
        )
        < 2
    ):
        assert time.monotonic() < deadline, "the dead letters did not come"
        time.sleep(0.5)
    assert any(row["raw"] == "{not json" for row in result)
    assert any('"rooms":"many"' in row["raw"] for row in result)
    assert all(row["source"].startswith("rentals.records/") for row in result)
    wait_until_landed(find_workload("rentals"), timeout=60)
    workload = find_workload("rentals")
    record_dead_letters([workload])
    letters = read_dead_letters([workload])["rentals"]
    assert count_offsets(letters) >= 2
    assert subtract_ranges(letters, read_gaps(workload)) == []


def test_ingest_waits_for_temporarily_frozen_broker(stack, tmp_path):
    from millrace.local import stack as local

    file = generated(find_workload("rentals"), 3000, 17, tmp_path)
    before = count_published(find_workload("rentals"))
    broker = next(child["pid"] for child in local.stack_status()["children"] if child["name"] == "kafka")
    process = started("ingest", "rentals", str(file), "--rate", "600/s")
    while count_published(find_workload("rentals")) == before:
        time.sleep(0.1)
    os.kill(broker, signal.SIGSTOP)
    time.sleep(8)
    os.kill(broker, signal.SIGCONT)
    output, _ = process.communicate(timeout=120)
    counts = json.loads(output)
    assert process.returncode == 0
    assert counts["accepted"] == 3000 - 6
    assert count_published(find_workload("rentals")) - before == counts["accepted"]
