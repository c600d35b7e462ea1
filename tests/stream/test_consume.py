"""Reading the topics of clusters in a group, without a broker; test_stream.py has a real group."""

import logging

import pytest
from kafka.errors import CommitFailedError, RebalanceInProgressError

from millrace.messaging.reader import TopicPartition
from millrace.stream.consume import consume_pages
from millrace.workloads import find_workload
from tests.messaging.fake_consumer import FakeConsumer, install

URLS = find_workload("urls")
PARTS = [TopicPartition("urls.cluster.3", number) for number in range(2)]
MESSAGES = {part: [(b"%d:%d" % (part.partition, number), b"%d" % number) for number in range(3)] for part in PARTS}
PARTITIONS = "reads 2 partitions; any others are with other readers of the group"
REBALANCED = "the group was rebalanced; whoever gets these partitions next reads the last lines again"


@pytest.fixture(autouse=True)
def _progress_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "millrace.stream")


def test_each_page_is_written_before_its_offset_is_committed(monkeypatch: pytest.MonkeyPatch, caplog):
    consumer, written = install(monkeypatch, FakeConsumer(MESSAGES)), []

    def write(lines: list[bytes]) -> None:
        assert sum(consumer.committed.values()) == len(written)
        written.extend(lines)

    assert consume_pages(URLS, [3], "news", write, limit=5) == 5
    assert written == [b"0", b"1", b"2", b"0", b"1"]
    assert consumer.commits == [{PARTS[0]: 3}, {PARTS[1]: 2}]
    assert caplog.messages == [PARTITIONS]


@pytest.mark.parametrize(
    "error", [RebalanceInProgressError("undergoing a rebalance"), CommitFailedError(RebalanceInProgressError())]
)
def test_commit_during_rebalance_is_a_warning_and_no_page_is_written_twice(
    monkeypatch: pytest.MonkeyPatch, caplog, error
):
    consumer, written = install(monkeypatch, FakeConsumer(MESSAGES, [error])), []
    assert consume_pages(URLS, [3], "news", written.extend, limit=6) == 6
    assert written == [b"0", b"1", b"2"] * 2
    assert consumer.commits == [{PARTS[0]: 3}, {PARTS[1]: 3}]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", PARTITIONS),
        ("WARNING", REBALANCED),
    ]
    assert consumer.closed
