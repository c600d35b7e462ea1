"""The lake gives back what Kafka has deleted: each offset once, in order, in batches; or it says what it lacks."""

import orjson
import pytest

from millrace.errors import NotFoundError, UnavailableError
from millrace.lake import archive, tables
from millrace.lake.archive import ArchiveGapError, RecordArchive
from millrace.lake.catalog import load_catalog
from millrace.lake.gaps import ACCEPTED, record_gaps
from millrace.messaging.reader import Message
from tests.local_lake import ARRIVED, MOOC


def read(*wanted: tuple[int, int, int]) -> list[Message]:
    batches = RecordArchive(MOOC).read({partition: (first, end) for partition, first, end in wanted})
    return [message for batch in batches for message in batch.messages]


def test_messages_say_what_the_topic_said(local_lake):
    local_lake((0, 0, 3), (2, 0, 1))
    first, second = read((0, 1, 3))
    assert (first.partition, first.offset, first.timestamp) == (0, 1, int(ARRIVED.timestamp() * 1000))
    assert orjson.loads(first.value) == {
        "user_id": "U00",
        "course_id": "C01",
        "enrolled_at": "2023-11-01T12:30:00.123456+00:00",
        "record_id": "0-1",
    }
    assert orjson.loads(second.value)["enrolled_at"] is None
    assert MOOC.record.model_validate_json(second.value).enrolled_at is None


def test_every_read_gives_the_same_in_the_order_of_offsets_whatever_stands_where(local_lake, monkeypatch):
    monkeypatch.setattr(archive, "BATCH_OFFSETS", 4)
    for ranges in ([(1, 5, 9)], [(0, 0, 9)], [(1, 0, 4), (0, 10, 11)], [(1, 3, 7)]):
        local_lake(*ranges)
    expected = [(0, offset) for offset in range(3, 12)] + [(1, offset) for offset in range(0, 10)]
    first = read((1, 0, 10), (0, 3, 12))
    assert [(message.partition, message.offset) for message in first] == expected
    table = tables.load_table("mooc")
    table.overwrite(table.scan().to_arrow().sort_by([("kafka_offset", "descending")]))
    assert read((0, 3, 12), (1, 0, 10)) == first


def test_batches_are_bounded_and_say_where_the_next_one_begins(local_lake, monkeypatch):
    monkeypatch.setattr(archive, "BATCH_OFFSETS", 4)
    local_lake((0, 0, 9))
    batches = list(RecordArchive(MOOC).read({0: (1, 10)}))
    assert [(batch.partition, batch.end, len(batch.messages)) for batch in batches] == [
        (0, 5, 4),
        (0, 9, 4),
        (0, 10, 1),
    ]


def test_known_gaps_are_passed_over_and_others_are_named_before_what_lies_behind(local_lake, monkeypatch):
    monkeypatch.setattr(archive, "BATCH_OFFSETS", 5)
    local_lake((0, 0, 2), (0, 5, 7), (0, 9, 9))
    record_gaps(MOOC, [(0, 3, 4)], ACCEPTED)
    batches = RecordArchive(MOOC).read({0: (0, 12)})
    assert [message.offset for message in next(batches).messages] == [0, 1, 2]
    with pytest.raises(ArchiveGapError, match="the lake lacks partition 0 offset 8") as caught:
        next(batches)
    assert caught.value.gaps == [(0, 8, 8)]
    with pytest.raises(ArchiveGapError, match="partition 1 offsets 0 to 4"):
        read((1, 0, 5))


def test_lake_that_is_not_there_is_told_from_one_that_does_not_answer(local_lake, monkeypatch):
    local_lake((0, 0, 2))

    def refuse(*_, **__):
        raise OSError("AWS Error ACCESS_DENIED")

    with monkeypatch.context() as patch:
        patch.setattr("pyiceberg.table.DataScan.to_arrow", refuse)
        with pytest.raises(UnavailableError, match="ACCESS_DENIED"):
            read((0, 0, 2))
    load_catalog().drop_table("millrace.mooc")
    with pytest.raises(NotFoundError, match="no table"):
        read((0, 0, 2))
