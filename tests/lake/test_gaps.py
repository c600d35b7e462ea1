"""What Kafka will forget is written down beside the data, once, and explains a gap from then on."""

from datetime import UTC, datetime, timedelta

import pytest

from millrace.errors import UnavailableError
from millrace.lake import gaps, gaps_table_name
from millrace.lake.catalog import load_catalog
from millrace.lake.gaps import ACCEPTED, DEAD_LETTER, find_unexplained, read_gaps, record_dead_letters, record_gaps
from tests.local_lake import MOOC


def rows() -> list[dict]:
    return load_catalog().load_table(gaps_table_name("mooc")).scan().to_arrow().to_pylist()


def test_gaps_are_written_down_once_with_reason_and_time(local_lake):
    assert record_gaps(MOOC, [(0, 3, 5), (1, 0, 9)], ACCEPTED) == [(0, 3, 5), (1, 0, 9)]
    assert record_gaps(MOOC, [(0, 4, 8)], DEAD_LETTER) == [(0, 6, 8)]
    assert record_gaps(MOOC, [(0, 3, 8)], DEAD_LETTER) == []
    assert read_gaps(MOOC) == [(0, 3, 8), (1, 0, 9)]
    written = [[row[name] for name in ("partition", "first", "last", "reason", "kafka_generation")] for row in rows()]
    assert sorted(written) == [[0, 3, 5, "accepted", 0], [0, 6, 8, "dead_letter", 0], [1, 0, 9, "accepted", 0]]
    assert all(datetime.now(UTC) - row["since"] < timedelta(minutes=5) for row in rows())


def test_table_that_an_earlier_release_lacks_is_read_as_empty_and_made(local_lake):
    load_catalog().drop_table(gaps_table_name("mooc"))
    assert read_gaps(MOOC) == []
    record_gaps(MOOC, [(2, 1, 1)], ACCEPTED)
    assert read_gaps(MOOC) == [(2, 1, 1)]


def test_gaps_of_another_generation_of_the_topic_explain_nothing(local_lake):
    record_gaps(MOOC, [(0, 1, 1)], ACCEPTED)
    table = load_catalog().load_table(gaps_table_name("mooc"))
    others = table.scan().to_arrow().to_pylist()
    schema = table.schema().as_arrow()
    for generation, first in ((1, 20), (None, 30)):
        changed = [row | {"kafka_generation": generation, "first": first, "last": first} for row in others]
        table.append(schema.empty_table().from_pylist(changed, schema=schema))
    assert read_gaps(MOOC) == [(0, 1, 1), (0, 30, 30)]


def test_dead_letter_explains_its_gap_after_kafka_has_forgotten_it(local_lake, dead_letters):
    dead_letters += [("mooc.records", 0, 4711), ("mooc.records", 0, 4712), ("shop.records", 0, 7)]
    assert find_unexplained(MOOC, [(0, 4711, 4712)], record=True) == []
    dead_letters.clear()
    assert read_gaps(MOOC) == [(0, 4711, 4712)]
    assert find_unexplained(MOOC, [(0, 4711, 4712), (0, 7, 7)]) == [(0, 7, 7)]


def test_dead_letters_are_written_down_although_nobody_trains(local_lake, dead_letters):
    dead_letters += [("mooc.records", 1, 5)]
    assert record_dead_letters([MOOC]) == ["mooc: 1 dead letters were written down"]
    dead_letters.clear()
    dead_letters += [("mooc.records", 1, 6)]
    assert record_dead_letters([MOOC]) == ["mooc: 1 dead letters were written down"]
    assert record_dead_letters([MOOC]) == []
    assert find_unexplained(MOOC, [(1, 5, 6)]) == []


def test_looking_writes_nothing_and_asks_kafka_only_for_what_is_not_known(local_lake, dead_letters, monkeypatch):
    dead_letters += [("mooc.records", 0, 1)]
    assert find_unexplained(MOOC, [(0, 1, 1)]) == []
    assert read_gaps(MOOC) == []
    record_gaps(MOOC, [(0, 1, 1)], DEAD_LETTER)
    monkeypatch.setattr("millrace.messaging.dead_letters.read_all", lambda topic: pytest.fail("Kafka was asked"))
    assert find_unexplained(MOOC, [(0, 1, 1)]) == []


def test_gap_longer_than_its_dead_letters_is_unexplained_behind_them(local_lake, dead_letters):
    dead_letters += [("mooc.records", 0, offset) for offset in range(100, 1101)]
    assert find_unexplained(MOOC, [(0, 100, 5000)]) == [(0, 1101, 5000)]


def test_lake_that_does_not_answer_is_said_to_be_unavailable(local_lake, monkeypatch):
    def refuse(*_):
        raise OSError("AWS Error ACCESS_DENIED")

    monkeypatch.setattr(gaps, "_read", refuse)
    with pytest.raises(UnavailableError, match="The lake does not answer: AWS Error ACCESS_DENIED"):
        read_gaps(MOOC)
