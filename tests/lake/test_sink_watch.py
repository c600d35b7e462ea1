"""A poisoned record is taken out of the sink's way, alone, whatever is killed meanwhile; a broken table is left alone.

Connect, Kafka and the sink are stand-ins, the table is a real one; tests/pipeline/test_poison.py has the real ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from millrace.errors import MillraceError, UnavailableError
from millrace.ingest.rejected_rows import list_rejected, replay_rejected
from millrace.lake import landing, sink, sink_watch, tables
from millrace.messaging.dead_letters import find_positions
from millrace.messaging.reader import TopicPartition
from millrace.messaging.topics import DEAD_LETTERS
from tests.lake.skipping import PARTITION, POISONED, RENTALS, TOPIC, landed_offsets, record, trace
from tests.messaging.fake_consumer import FakeConsumer


def assert_skipped(pipeline: SimpleNamespace) -> None:
    assert pipeline.connect.offsets == {PARTITION: POISONED + 1}
    assert (pipeline.connect.state, pipeline.connect.restarts) == ("RUNNING", 0)
    assert landed_offsets() == list(range(20, POISONED))
    assert find_positions(RENTALS.records_topic) == {(PARTITION, POISONED)}
    assert len(pipeline.messages[TopicPartition(DEAD_LETTERS, 0)]) == 1
    assert sink_watch.look_after_sink(RENTALS) == []


def test_poisoned_record_becomes_a_rejected_row_and_the_sink_goes_on_behind_it(pipeline):
    pipeline.connect.lingering = 2
    (sentence,) = sink_watch.look_after_sink(RENTALS)
    assert f"lake-rentals could not land {TOPIC}/1/30 (listed_at: " in sentence
    assert "10 records before it were landed in its place." in sentence
    assert_skipped(pipeline)
    (row,) = list_rejected(RENTALS)
    assert row["source"] == f"{TOPIC}/{PARTITION}/{POISONED}"
    assert row["message"].startswith('listed_at: "2026-13-45T00:00:00Z" is not a time')
    assert row["raw"] == record(POISONED, "2026-13-45T00:00:00Z").decode()
    assert replay_rejected(RENTALS)["still_rejected"] == {"connect_rejected": 1}


def test_dead_letter_of_a_record_too_long_for_one_is_cut(pipeline):
    pipeline.records[POISONED] = (b"k", record(POISONED, "9" * 2_000_000))
    sink_watch.look_after_sink(RENTALS)
    (row,) = list_rejected(RENTALS)
    assert len(row["raw"]) == 900_000
    assert "(shown are 900000 of 2000" in row["message"]
    assert pipeline.connect.offsets == {PARTITION: POISONED + 1}


def test_landed_rows_are_those_that_the_sink_would_have_written(pipeline):
    sink_watch.look_after_sink(RENTALS)
    row = tables.load_table("rentals").scan(row_filter="kafka_offset = 20").to_arrow().to_pylist()[0]
    assert row["flat_id"] == "F20"
    assert (row["rooms"], row["rent"], row["rating"]) == (2, 700.0, None)
    assert row["listed_at"].isoformat() == "2026-01-10T08:00:00.250000+00:00"
    assert (row["kafka_topic"], row["kafka_partition"]) == (TOPIC, PARTITION)
    assert row["kafka_timestamp"].timestamp() == 1_700_000_000


class KilledError(Exception):
    """Stands for a kill -9."""


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (sink, "stop_sink"),
        (sink_watch, "write_skipped"),
        (landing, "land_rows"),
        (sink, "move_sink"),
        (sink, "resume_sink"),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_skip_that_was_killed_at_any_step_is_finished_by_the_next_look(pipeline, monkeypatch, module, step, before):
    original = getattr(module, step)

    def kill(*arguments):
        if not before:
            original(*arguments)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(module, step, kill)
        with pytest.raises(KilledError):
            sink_watch.look_after_sink(RENTALS)
    assert len(sink_watch.look_after_sink(RENTALS)) == 1
    assert_skipped(pipeline)


def test_sink_stays_stopped_while_object_storage_is_unavailable_and_goes_on_afterwards(pipeline, monkeypatch):
    with monkeypatch.context() as patch:

        def fail(*_):
            raise UnavailableError("Rows can't be written to iceberg.millrace.rentals now")

        patch.setattr(landing, "land_rows", fail)
        for _ in range(2):
            (sentence,) = sink_watch.look_after_sink(RENTALS)
            assert "stays stopped until" in sentence
            assert "can't be written" in sentence
    sink_watch.look_after_sink(RENTALS)
    assert_skipped(pipeline)


def refused(pipeline: SimpleNamespace, words: str) -> None:
    """The sink was restarted, as ever, and nothing else was done."""
    sentences = sink_watch.look_after_sink(RENTALS)
    assert any(words in sentence for sentence in sentences), sentences
    assert any("had failed" in sentence for sentence in sentences)
    assert pipeline.connect.offsets == {PARTITION: 20}
    assert (pipeline.connect.state, pipeline.connect.restarts) == ("RUNNING", 1)
    assert landed_offsets() == []
    assert find_positions(RENTALS.records_topic) == set()
    assert not (pipeline.home / "skips").exists()


def test_good_record_is_not_skipped_when_object_storage_is_unavailable(pipeline):
    """The sink names the record that it was writing then in the same words."""
    pipeline.connect.fail(trace(25, "software.amazon.awssdk.core.exception.SdkClientException: Connect refused"))
    refused(pipeline, "the cause lies elsewhere")


def test_topic_of_a_broken_producer_is_not_emptied(pipeline):
    pipeline.records[:] = [(b"k", record(number, "10.01.2026")) for number in range(60)]
    refused(pipeline, "50 of the 50 records around it are refused too")


def test_limit_of_an_hour_holds_over_restarts(pipeline, monkeypatch):
    for offset in range(10):
        headers = (("__connect.errors.topic", TOPIC.encode()), ("__connect.errors.partition", b"0"))
        headers += (("__connect.errors.offset", str(offset).encode()), ("millrace.skipped", b"1"))
        pipeline.messages[TopicPartition(DEAD_LETTERS, 0)].append((None, b"{}", headers))
    monkeypatch.setattr(sink_watch, "time", lambda: 1_700_000_000 + 3599)
    (sentence, _) = sink_watch.look_after_sink(RENTALS)
    assert "10 records were skipped within the hour already; allowed: 10" in sentence
    assert pipeline.connect.offsets == {PARTITION: 20}
    pipeline.connect.fail(trace(POISONED))
    monkeypatch.setattr(sink_watch, "time", lambda: 1_700_000_000 + 3601)
    sink_watch.look_after_sink(RENTALS)
    assert pipeline.connect.offsets == {PARTITION: POISONED + 1}


def test_nothing_is_skipped_where_the_rows_before_it_can_not_be_landed(pipeline):
    pipeline.records[25] = (b"k", record(25).replace(b'"rooms":2', b'"rooms":"2"'))
    refused(pipeline, f"{TOPIC}/1/25: rooms is not long as Millrace publishes it")


def test_dead_letters_and_tombstones_among_the_rows_before_it_are_passed_over(pipeline):
    pipeline.records[25], pipeline.records[26] = (b"k", b"{not json"), (b"k", None)
    headers = (("__connect.errors.topic", TOPIC.encode()), ("__connect.errors.partition", b"1"))
    headers += (("__connect.errors.offset", b"25"),)
    pipeline.messages[TopicPartition(DEAD_LETTERS, 0)].append((None, b"{not json", headers))
    sink_watch.look_after_sink(RENTALS)
    assert landed_offsets() == [20, 21, 22, 23, 24, 27, 28, 29]
    assert pipeline.connect.offsets == {PARTITION: POISONED + 1}


def test_optional_column_of_the_table_decides_and_not_the_contract(pipeline, monkeypatch):
    """A field that came later is optional in an older table, which holds a null that the contract would not."""
    optional = [column.__class__(column.name, column.type, False) for column in tables.list_columns(RENTALS.record)]
    monkeypatch.setattr(tables, "read_columns", lambda _: optional)
    pipeline.records[POISONED] = (b"k", record(POISONED).replace(b'"rooms":2,', b""))
    refused(pipeline, "the cause lies elsewhere")


def test_unavailable_catalog_leads_to_a_restart(pipeline, monkeypatch):
    def fail(_):
        raise UnavailableError("The catalog does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(tables, "load_table", fail)
        sentences = sink_watch.look_after_sink(RENTALS)
    assert "it can't be examined now: The catalog does not answer" in sentences[0]
    assert pipeline.connect.restarts == 1


@pytest.mark.parametrize(
    "failure", ["a.ConnectException: Coordinator unexpectedly terminated", trace(3).replace(TOPIC, "x")]
)
def test_failure_that_names_no_record_of_the_workload_is_a_plain_restart(pipeline, failure):
    pipeline.connect.fail(failure)
    (sentence,) = sink_watch.look_after_sink(RENTALS)
    assert sentence.endswith("and was restarted.")
    assert pipeline.connect.offsets == {PARTITION: 20}


def test_sink_without_committed_offsets_is_landed_from_the_partitions_beginning(pipeline):
    pipeline.connect.offsets.clear()
    sink_watch.look_after_sink(RENTALS)
    assert landed_offsets() == list(range(POISONED))


def test_record_that_the_sink_has_passed_meanwhile_moves_it_no_more(pipeline):
    sink_watch.write_skip("rentals", sink_watch.Skip(PARTITION, POISONED, "listed_at: is null"))
    pipeline.connect.offsets[PARTITION] = 45
    sink_watch.look_after_sink(RENTALS)
    assert pipeline.connect.offsets == {PARTITION: 45}
    assert pipeline.connect.state == "RUNNING"
    assert landed_offsets() == []


def test_stopped_or_absent_sink_is_left_alone(pipeline):
    pipeline.connect.trace, pipeline.connect.state = "", "STOPPED"
    assert sink_watch.look_after_sink(RENTALS) == []
    assert pipeline.connect.state == "STOPPED"
    pipeline.connect.connector = "lake-other"
    assert sink_watch.look_after_sink(RENTALS) == []


def test_offsets_are_not_altered_while_a_task_is_still_in_the_group(pipeline, monkeypatch):
    monkeypatch.setattr(sink, "REBALANCE_TIMEOUT_S", 0.0)
    with pytest.raises(MillraceError, match="must be in the STOPPED state"):
        sink.move_sink("rentals", TOPIC, PARTITION, 31)
    pipeline.connect.lingering = 10**6
    with pytest.raises(MillraceError, match="was told to stop and still runs"):
        sink.stop_sink("rentals")
    with pytest.raises(MillraceError, match="stopped completely yet"):
        sink.move_sink("rentals", TOPIC, PARTITION, 31)


@contextmanager
def batches_of(rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landing, "BATCH_ROWS", rows)
        yield


def test_rows_are_landed_in_batches_and_those_that_are_there_are_not_repeated(pipeline):
    columns = tables.read_columns(table := tables.load_table("rentals"))
    reader = FakeConsumer(pipeline.messages)(auto_offset_reset="earliest")
    reader.assign(parts := [TopicPartition(TOPIC, PARTITION)])
    reader.seek_to_beginning(*parts)
    polled = sink_watch.TopicReader(reader).poll(0, 8)[parts[0]]  # pyright: ignore
    rows = [row for message in polled if (row := landing.make_row(columns, TOPIC, message))]
    with batches_of(3):
        assert landing.land_rows(table, PARTITION, rows[:4]) == 4
        assert landing.land_rows(table, PARTITION, rows) == 4
    assert landed_offsets() == list(range(8))
    ranges = [(s.summary or {}).get(landing.SNAPSHOT_PROPERTY) for s in tables.load_table("rentals").snapshots()]
    assert ranges == ["1:0-2", "1:3-3", "1:3-5", "1:6-7"]
