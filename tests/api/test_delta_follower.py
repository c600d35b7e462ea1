"""Following deltas topics, without a broker; tests/online has a real one."""

import logging

import pytest
from kafka.errors import KafkaConnectionError

from millrace.messaging.reader import Message, TopicPartition
from millrace.serving import delta_follower
from millrace.serving.delta_follower import DeltaFollower
from tests.messaging.fake_consumer import FakeConsumer, install
from tests.waiting import until

URLS, MOOC = TopicPartition("urls.deltas", 0), TopicPartition("mooc.deltas", 0)


class RecordingStore:
    """Keeps what was applied."""

    watermark = None

    def __init__(self) -> None:
        self.applied: list[tuple[str, bytes | None]] = []

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        self.applied.append((key, value))

    def scope(self, key: str) -> str:
        return ""

    def begin_epoch(self, scope: str) -> None:
        self.applied.append(("begins", None))

    def doubt(self, key: str, timestamp_ms: int) -> None:
        self.applied.append((f"doubt {key}", None))

    def describe(self) -> dict[str, object]:
        return {}


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> dict[str, RecordingStore]:
    monkeypatch.setattr(delta_follower, "RETRY_DELAY_S", 0.01)
    return {"urls": RecordingStore(), "mooc": RecordingStore()}


def test_topics_are_read_from_their_beginning_and_later_ones_as_they_appear(
    monkeypatch: pytest.MonkeyPatch, stores, caplog: pytest.LogCaptureFixture
):
    messages = {URLS: [(b"a", b"1"), (None, b"no key"), (b"b", None)]}
    consumer = install(monkeypatch, FakeConsumer(messages, begin=0))
    live = DeltaFollower(stores)
    live.start()
    try:
        until(lambda: live.ready)
        assert stores["urls"].applied == [("a", b"1"), ("b", None)]
        assert [record.getMessage() for record in caplog.records] == ["urls.deltas offset 1 was left out"]
        messages[MOOC] = [(b"c", b"3")]
        messages[URLS].append((b"d", b"4"))
        until(lambda: stores["mooc"].applied and len(stores["urls"].applied) == 3)
        assert stores["mooc"].applied == [("c", b"3")]
        assert stores["urls"].applied == [("a", b"1"), ("b", None), ("d", b"4")]
        assert live.fault is None
    finally:
        live.stop()
    until(lambda: consumer.closed)
    assert consumer.options == {
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "bootstrap_timeout_ms": 3000,
        "reconnect_backoff_max_ms": 1000,
    }


def test_unavailable_broker_is_logged_once(monkeypatch: pytest.MonkeyPatch, stores, caplog: pytest.LogCaptureFixture):
    tries = []

    def refuse(**_options: object) -> None:
        tries.append(1)
        raise KafkaConnectionError("refused")

    caplog.set_level(logging.ERROR)
    install(monkeypatch, refuse)
    live = DeltaFollower(stores)
    live.start()
    try:
        until(lambda: len(tries) > 3)
    finally:
        live.stop()
    assert live.fault is not None
    assert live.fault.endswith("can't be followed: KafkaConnectionError")
    sentence = f"{live.fault}: KafkaConnectionError: refused; live answers stay as they are until it is back"
    assert [record.getMessage() for record in caplog.records] == [sentence]


def test_messages_of_a_replaced_writer_are_doubted_and_those_of_writers_own_passed_over(stores):
    live = DeltaFollower(stores)

    def message(offset: int, key: bytes, epoch: int | None) -> Message:
        return Message(0, offset, 0, key, b"1", {} if epoch is None else {"epoch": b"%d" % epoch})

    live._apply_batch(
        "urls.deltas",
        [
            message(0, b"a", None),
            message(1, b"writer", None),
            message(2, b"b", 2),
            message(3, b"alive", 2),
            message(4, b"writer", None),
            message(5, b"b", 2),
            message(6, b"a", None),
            message(7, b"b", 5),
        ],
    )
    assert [key for key, _ in stores["urls"].applied] == ["a", "begins", "b", "begins", "doubt b", "doubt a", "b"]
