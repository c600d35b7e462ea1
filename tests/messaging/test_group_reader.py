"""A member of a consumer group, without a broker; tests/stream/test_stream.py has a real group."""

import pytest
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from millrace.errors import NotFoundError, UnavailableError
from millrace.messaging.group_reader import GroupRebalancedError, join_group
from millrace.messaging.reader import TopicPartition
from tests.messaging.fake_consumer import FakeConsumer, install

FIRST, SECOND = TopicPartition("urls.cluster.0", 0), TopicPartition("urls.cluster.1", 0)
TOPICS = ["urls.cluster.0", "urls.cluster.1"]
MESSAGES = {FIRST: [(b"0:1", b"a"), (b"0:2", b"b")], SECOND: [(b"1:1", b"c")]}
REBALANCES = [
    # As kafka-python raises them: what the broker says is wrapped, and its own knowledge of a rebalance is not.
    RebalanceInProgressError("undergoing a rebalance"),
    CommitFailedError(RebalanceInProgressError()),
    CommitFailedError(UnknownMemberIdError()),
    CommitFailedError(IllegalGenerationError()),
    CommitFailedError("not part of an active group"),
]


@pytest.mark.parametrize(("beginning", "reset"), [(True, "earliest"), (False, "latest")])
def test_member_says_its_group_and_where_a_new_one_begins(monkeypatch: pytest.MonkeyPatch, beginning, reset):
    consumer = install(monkeypatch, FakeConsumer(MESSAGES))
    with join_group("news", beginning=beginning):
        assert consumer.options == {
            "group_id": "news",
            "auto_offset_reset": reset,
            "enable_auto_commit": False,
            "session_timeout_ms": 10_000,
            "heartbeat_interval_ms": 2_000,
        }
    assert consumer.closed


def test_missing_topic_is_named(monkeypatch: pytest.MonkeyPatch):
    install(monkeypatch, FakeConsumer({FIRST: []}))
    sentence = r"Kafka has no topic urls\.cluster\.1; `millrace topics create` makes it\."
    with join_group("news", beginning=True) as reader, pytest.raises(NotFoundError, match=sentence) as caught:
        reader.subscribe(TOPICS, print)
    assert caught.value.field == "topic"


def test_count_of_partitions_is_reported_when_it_changes(monkeypatch: pytest.MonkeyPatch):
    faults = [RebalanceInProgressError() for _ in range(3)]
    consumer, counts = install(monkeypatch, FakeConsumer(MESSAGES, faults)), []
    consumer.shares = [[FIRST, SECOND], [FIRST], [SECOND], [FIRST, SECOND]]
    with join_group("news", beginning=True) as reader:
        reader.subscribe(TOPICS, counts.append)
        for _ in faults:
            polled = reader.poll(200, 500)
            with pytest.raises(GroupRebalancedError):
                reader.commit({part: batch[-1].offset + 1 for part, batch in polled.items()})
        reader.poll(200, 500)
    assert counts == [2, 1, 2]


@pytest.mark.parametrize("error", REBALANCES, ids=repr)
def test_commit_during_rebalance_is_one_error_and_uncommitted_messages_come_again(
    monkeypatch: pytest.MonkeyPatch, error
):
    consumer = install(monkeypatch, FakeConsumer(MESSAGES, [error]))
    with join_group("news", beginning=True) as reader:
        reader.subscribe(TOPICS, lambda count: None)
        first = reader.poll(200, 500)
        with pytest.raises(GroupRebalancedError) as caught:
            reader.commit({FIRST: 2})
        assert caught.value.__cause__ is error
        assert reader.poll(200, 500) == first
        reader.commit({FIRST: 2})
    assert consumer.commits == [{FIRST: 2}]


@pytest.mark.parametrize("error", [GroupAuthorizationFailedError("news"), FencedInstanceIdError()], ids=repr)
def test_commit_that_fails_otherwise_ends_the_reader(monkeypatch: pytest.MonkeyPatch, error):
    install(monkeypatch, FakeConsumer(MESSAGES, [error]))

    def read_and_commit() -> None:
        with join_group("news", beginning=True) as reader:
            reader.subscribe(TOPICS, lambda count: None)
            reader.poll(200, 500)
            reader.commit({FIRST: 2})

    with pytest.raises(UnavailableError, match=type(error).__name__):
        read_and_commit()
