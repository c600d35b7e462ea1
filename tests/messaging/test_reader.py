"""Reading by offset, without a broker; tests/local/test_kafka.py reads from a real one."""

import time

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from millrace.errors import UnavailableError
from millrace.messaging.client import CLIENT_ERRORS, OffsetsLostError, translate_errors
from millrace.messaging.reader import Message, TopicPartition, make_reader, open_follower, read_all
from tests.messaging.fake_consumer import FakeConsumer, install

FIRST, SECOND = TopicPartition("urls.records", 0), TopicPartition("urls.records", 1)


def messages(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % number, b"v%d" % number) for number in range(count)]


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> FakeConsumer:
    return install(monkeypatch, FakeConsumer({FIRST: messages(5), SECOND: messages(3)}, begin=2))


def test_follower_begins_at_its_offsets_or_at_the_beginning(consumer):
    with open_follower(fetch_max_wait_ms=200) as reader:
        assert reader.topics() == {"urls.records"}
        assert reader.partitions("urls.records", "missing") == [FIRST, SECOND]
        assert reader.assignment == set()
        reader.assign({FIRST: 4, SECOND: None})
        assert reader.assignment == {FIRST, SECOND}
        assert [reader.position(part) for part in (FIRST, SECOND)] == [4, 2]
        assert [reader.high_watermark(part) for part in (FIRST, SECOND)] == [5, 3]
        polled = [reader.poll(100, 10) for _ in range(3)]
    assert polled == [
        {FIRST: [Message(0, 4, 1_700_000_000_000, b"k4", b"v4", {})]},
        {SECOND: [Message(1, 2, 1_700_000_000_000, b"k2", b"v2", {})]},
        {},
    ]
    assert consumer.options == {"enable_auto_commit": False, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 200}
    assert consumer.closed


def test_poll_returns_at_most_so_many_messages(consumer):
    with open_follower() as reader:
        reader.assign({FIRST: 2})
        assert [len(reader.poll(100, 2)[FIRST]), len(reader.poll(100, 2)[FIRST])] == [2, 1]


def test_offset_that_is_gone_is_an_error_of_ours(consumer):
    with open_follower(auto_offset_reset="none") as reader:
        reader.assign({FIRST: 1})
        with pytest.raises(OffsetsLostError, match=r"OffsetOutOfRangeError: \{TopicPartition\(.*partition=0\): 1\}"):
            reader.poll(100, 10)


def test_offset_that_is_gone_makes_a_reader_unavailable(consumer):
    reader = make_reader()
    assert consumer.options["auto_offset_reset"] == "none"
    reader.assign({FIRST: 6})
    with pytest.raises(UnavailableError, match="OffsetsLostError"), translate_errors():
        reader.poll_expected()


def test_follower_raises_errors_of_the_client_as_they_are(monkeypatch: pytest.MonkeyPatch):
    def refuse(**_options: object) -> None:
        raise KafkaConnectionError

    install(monkeypatch, refuse)
    with pytest.raises(KafkaConnectionError) as caught, open_follower():
        pass
    assert isinstance(caught.value, CLIENT_ERRORS)


def test_silence_is_an_error_only_where_messages_are_expected(consumer, monkeypatch: pytest.MonkeyPatch):
    with open_follower() as reader:
        reader.assign({FIRST: 5})
        start = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: start + 3600)
        assert reader.poll(0, 10) == {}
        with pytest.raises(KafkaTimeoutError, match=r"urls\.records gives no records"):
            reader.poll_expected()
        reader.expect_messages()
        assert reader.poll_expected() == {}


def test_every_message_up_to_the_end_is_read(consumer):
    assert [(message.partition, message.offset) for message in read_all("urls.records")] == [
        (0, 2),
        (0, 3),
        (0, 4),
        (1, 2),
    ]
