"""The stream in a topic that was recreated: read from its beginning, and its pages told from those before."""

import logging
from dataclasses import replace

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from millrace.errors import CorruptError
from millrace.lake import NAMESPACE, pages_table_name, tables
from millrace.lake.catalog import load_catalog
from millrace.messaging.reader import Message
from millrace.stream import cluster_topics, pages_table, source
from millrace.stream.pages_table import GENERATION, LastBatch, PagesTable, TableState
from millrace.stream.score import PAGE, make_key, make_messages, parse_key, score_pages
from millrace.workloads import find_workload
from tests.stream.made import Sent, declared
from tests.stream.made import arrays as made_arrays
from tests.stream.test_parts import page, records

TOPIC = "urls.records"
HELD = TableState({0: {0: 499}}, {}, 0)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """A function that opens the table as a stream does when it starts; the topic has 900 records."""
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace(NAMESPACE)
    catalog.create_table(pages_table_name("urls"), tables.make_schema(tables.PAGES))
    monkeypatch.setattr(pages_table, "load_catalog", lambda: catalog)
    monkeypatch.setattr(source, "topic_offsets", lambda topic: {0: (0, 900)})
    yield lambda: PagesTable(None, find_workload("urls"))
    catalog.engine.dispose()


def columns() -> list[str]:
    return pages_table.load_catalog().load_table(pages_table_name("urls")).schema().column_names


def test_longer_topic_of_another_id_is_read_from_its_beginning(table, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "millrace")
    for topic_id, held, start, generation in (
        ("a", HELD, 500, 0),
        ("a", HELD, 500, 0),
        ("b", HELD, 0, 1),
        ("b", TableState({0: {0: 499}, 1: {0: 99}}, {}, 0), 100, 1),
    ):
        monkeypatch.setattr(source, "fetch_topic_id", lambda topic, topic_id=topic_id: topic_id)
        opened = table()
        read, first = source.find_start(opened, TOPIC, held)
        assert first == {0: start}
        assert read == ({0: start - 1} if start else {})
        assert opened.generation == generation
        assert (GENERATION in columns()) == (generation > 0), "a release of before can append to the first generation"
    assert [record.getMessage() for record in caplog.records] == [
        "urls.records was recreated: it is read from its beginning, and its pages are of generation 1"
    ]


def test_same_topic_that_has_become_shorter_is_refused(table, monkeypatch):
    monkeypatch.setattr(source, "fetch_topic_id", lambda topic: "a")
    source.find_start(table(), TOPIC, HELD)
    with pytest.raises(CorruptError, match="has lost records, or was recreated"):
        source.find_start(table(), TOPIC, TableState({0: {0: 900}}, {}, 0))


def test_table_of_an_earlier_release_takes_a_shorter_topic_for_another(table, monkeypatch):
    monkeypatch.setattr(source, "fetch_topic_id", lambda topic: "a")
    opened = table()
    assert source.find_start(opened, TOPIC, TableState({0: {0: 900}}, {}, 0)) == ({}, {0: 0})
    assert opened.generation == 1


def test_brokers_without_topic_ids_are_read_as_before(table, monkeypatch):
    monkeypatch.setattr(source, "fetch_topic_id", lambda topic: None)
    assert source.find_start(table(), TOPIC, HELD)[1] == {0: 500}
    with pytest.raises(CorruptError):
        source.find_start(table(), TOPIC, TableState({0: {0: 900}}, {}, 0))


def test_pages_of_two_generations_have_keys_of_their_own():
    keys = [make_key(3, 7, generation) for generation in (0, 1, 2)]
    assert keys == [b"3:7", b"3:7:1", b"3:7:2"]
    assert [parse_key(key) for key in keys] == [(3, 7, 0), (3, 7, 1), (3, 7, 2)]
    assert [parse_key(key) for key in (b"", b"3", b"a:7", b"3:7:", b"1:2:3:4")] == [None] * 5
    scored = score_pages([records(page(0))], Sent(made_arrays(1)), "v1", declared()[1], generation=2)
    rows = pa.Table.from_batches(scored).slice(0, 1).to_batches()
    [messages] = make_messages(rows, "urls", {}, frozenset())
    assert messages.column("key").to_pylist() == [b"0:7:2"]
    assert b'"generation":2' in messages.column("value").to_pylist()[0]


@pytest.mark.parametrize(
    ("generation", "value", "published"),
    [
        (1, b'{"generation":0,"offsets":{"0":99}}', False),
        (1, b'{"generation":1,"offsets":{"0":9}}', False),
        (1, b'{"generation":1,"offsets":{"0":10}}', True),
        (1, b'{"generation":2,"offsets":{}}', True),  # it began when this one was complete
        (1, b'{"offsets":{"0":99}}', False),
        (0, b'{"offsets":{"0":99}}', True),  # of an earlier release
    ],
)
def test_delta_of_another_generation_says_nothing_of_offsets(monkeypatch, generation, value, published):
    batch, message = LastBatch({0: (0, 9)}, 0, generation), Message(0, 0, 0, b"stream", value, {})
    monkeypatch.setattr(cluster_topics, "read_current", lambda topic: [message])
    assert cluster_topics._was_published(find_workload("urls"), batch) is published


def test_rows_of_two_generations_are_told_apart_in_the_lake(stack, spark):
    """On the real lake: the same offsets twice, and a table whose column came between."""
    workload = replace(find_workload("urls"), name="recreated")
    tables.ensure_tables([workload])
    try:
        scored = pa.Table.from_batches(score_pages([records(page(0))], Sent(made_arrays(1)), "v1", declared()[1]))
        for topic_id, generation in (("a", 0), ("b", 1)):
            opened = PagesTable(spark, workload)
            assert opened.enter_topic(topic_id, lambda: False) == (generation > 0)
            rows = scored.slice(0, 1).select(list(PAGE))
            rows = rows.set_column(len(PAGE) - 1, GENERATION, pa.array([generation], pa.int32()))
            opened.append(spark.createDataFrame(rows), {0: (7, 7)})
            assert opened.last_batch().generation == generation
            assert [row.kafka_generation for row in opened.within(opened.last_batch()).collect()] == [generation]
        state = opened.read_state()
        assert state.marks == {0: {0: 7}, 1: {0: 7}}
        assert sum(state.sizes.values()) == 2
        assert sum(map(len, opened.record_hashes())) == 2
    finally:
        for name in (workload.name, f"{workload.name}_assignments", f"{workload.name}_pages"):
            load_catalog().drop_table(f"{NAMESPACE}.{name}")
