"""What the updater reads of the records topic, without a broker."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime

import orjson
import pytest

from millrace.errors import TooLargeError, UnavailableError
from millrace.messaging.fence import Claim
from millrace.messaging.producer import Headers, make_producer
from millrace.messaging.reader import Message, TopicPartition
from millrace.online import version_follower
from millrace.online.log_lease import Tenure
from millrace.online.recall import recall_records
from millrace.online.scratch import ScratchFolder
from millrace.online.state_publisher import StatePublisher
from millrace.online.version_follower import Offsets, VersionFollower
from tests.local_lake import make_row
from tests.messaging.fake_consumer import FakeConsumer, install
from tests.online import made
from tests.waiting import until

CLAIM = Claim("mooc.deltas", made.MODEL, 8, 0, 7)
ARRIVED_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


class FakeProducer:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None]] = []
        self.epochs: list[bytes] = []
        self.offsets: dict[str, dict[int, tuple[int, int]]] = {}
        self.acknowledged = 0

    def send(self, topic: str, key: bytes, value: bytes | None, headers: Headers = ()) -> None:
        self.sent.append((topic, key, value))
        self.epochs.append(dict(headers)["epoch"])

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def watermarks(self) -> list[dict]:
        return [orjson.loads(value) for _, key, value in [*self.sent] if key.endswith(b"/watermark")]


@pytest.fixture(autouse=True)
def empty_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was published before."""
    monkeypatch.setattr(StatePublisher.__init__, "__defaults__", (make_producer, lambda topic: []))


def make_follower(after: Offsets, producer: FakeProducer, scratch: ScratchFolder | None = None) -> VersionFollower:
    before = made.records(100)
    live = made.live_of(made.sequences(before), None)
    base = made.base(made.arrays(before, live, None), live)
    return VersionFollower(base, after, Tenure(CLAIM), lambda: producer, scratch)


@pytest.fixture
def followed() -> VersionFollower:
    return make_follower({}, FakeProducer())


def take(followed: VersionFollower, offset: int, **values: object) -> None:
    value = orjson.dumps({"user_id": "U01", "course_id": "C05"} | values)
    followed._add_record(Message(0, offset, ARRIVED_MS, b"U01", value, {}))


@pytest.mark.parametrize("year", [1900, 1970, 2099, 2150, 9000])
def test_event_with_impossible_time_counts_once_with_unknown_time(followed, year):
    for offset in range(2):
        take(followed, offset, enrolled_at=f"{year:04}-01-01T00:00:00+00:00")
    assert (followed.fold.accepted, followed.fold.repeated) == (1, 1)
    assert followed.fold.tail("U01") == [(None, 5)]


@pytest.mark.parametrize(
    "values",
    [{"enrolled_at": "soon"}, {"enrolled_at": 7}, {"enrolled_at": "2150-01-01", "course_id": ""}, {"user_id": None}],
)
def test_invalid_event_is_skipped_as_unreadable(followed, values):
    take(followed, 0, **values)
    assert followed.fold.accepted == 0
    assert followed.next == {0: 1}


@contextmanager
def following(follower: VersionFollower):
    follower.start()
    try:
        yield
    finally:
        follower.ended.set()
        follower.join(10)
    assert not follower.is_alive()


def wait_for(producer: FakeProducer, check) -> dict:
    """The first watermark of which `check` is true."""
    return until(lambda: next(filter(check, producer.watermarks()), {}), "the watermark")


def topic_of(follower: VersionFollower, *counts: int) -> dict[TopicPartition, list]:
    topic = follower.fold.base.workload.records_topic
    value = orjson.dumps({"user_id": "U01", "course_id": "C05"})
    return {TopicPartition(topic, part): [(b"U01", value)] * count for part, count in enumerate(counts)}


def test_every_partition_is_read_from_the_snapshot_or_its_beginning_and_published(monkeypatch: pytest.MonkeyPatch):
    producer = FakeProducer()
    follower = make_follower({0: 1}, producer)
    consumer = install(monkeypatch, FakeConsumer(topic_of(follower, 3, 2, 0)))
    started = time.time()
    with following(follower):
        watermark = wait_for(
            producer, lambda mark: mark["offsets"] == {"0": 3, "1": 2, "2": 0} and mark["at"] is not None
        )
    assert watermark["at"] >= started - 1
    assert (watermark["accepted"], watermark["repeated"], watermark["error"]) == (1, 3, None)
    assert consumer.closed
    assert consumer.options == {
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "bootstrap_timeout_ms": 5000,
        "reconnect_backoff_max_ms": 500,
        "fetch_max_wait_ms": 200,
    }


def test_snapshot_that_ends_outside_the_topic_is_published_as_an_error(monkeypatch: pytest.MonkeyPatch):
    producer = FakeProducer()
    follower = make_follower({0: 10}, producer)
    install(monkeypatch, FakeConsumer(topic_of(follower, 3)))
    with following(follower):
        error = wait_for(producer, lambda mark: mark["error"])["error"]
    assert "holds offsets 0 to 3 of partition 0, and the snapshot ends before 10" in error


def test_records_that_kafka_has_deleted_are_read_from_the_lake(monkeypatch: pytest.MonkeyPatch, local_lake):
    local_lake((0, 0, 4), (1, 0, 3))
    producer = FakeProducer()
    follower = make_follower({0: 1}, producer)
    install(monkeypatch, FakeConsumer(topic_of(follower, 6, 4), begin=3))
    with following(follower):
        watermark = wait_for(producer, lambda mark: mark["offsets"] == {"0": 6, "1": 4} and mark["at"])
    # Of partition 0 the lake gives offsets 1 and 2, of partition 1 those from 0 to 2; Kafka the rest, all of one event.
    assert (watermark["accepted"], watermark["repeated"], watermark["error"]) == (6, 3, None)
    assert follower.fold.unlinked == 0


def test_same_records_give_the_same_messages_from_the_lake_as_from_kafka(monkeypatch: pytest.MonkeyPatch, local_lake):
    local_lake((0, 0, 5))
    kept = [(None, orjson.dumps(make_row(0, offset), default=str)) for offset in range(6)]
    published = []
    for begin in (0, 4, 6):
        producer = FakeProducer()
        follower = make_follower({}, producer)
        part = TopicPartition(follower.fold.base.workload.records_topic, 0)
        install(monkeypatch, FakeConsumer({part: kept}, begin=begin))
        with following(follower):
            wait_for(producer, lambda mark: mark["offsets"] == {"0": 6} and mark["at"])
        newest = {key: value for _, key, value in producer.sent if not key.endswith(b"/watermark")}
        published.append({key: newest[key] for key in sorted(newest) if not key.endswith(b"/popular")})
    assert published[0] == published[1] == published[2]
    assert published[0]


def test_records_deleted_while_they_are_read_are_read_from_the_lake(monkeypatch: pytest.MonkeyPatch, local_lake):
    class DeletingConsumer(FakeConsumer):
        def seek(self, part: TopicPartition, offset: int) -> None:
            super().seek(part, offset)
            self.begin = 2

    monkeypatch.setattr(version_follower, "RETRY_DELAY_S", 0.01)
    local_lake((0, 0, 2))
    producer = FakeProducer()
    follower = make_follower({0: 1}, producer)
    install(monkeypatch, DeletingConsumer(topic_of(follower, 3)))
    with following(follower):
        watermark = wait_for(producer, lambda mark: mark["offsets"] == {"0": 3} and mark["at"])
    assert (watermark["accepted"], watermark["repeated"], watermark["error"]) == (2, 0, None)


def test_records_that_the_lake_lacks_too_are_published_as_an_error(monkeypatch: pytest.MonkeyPatch, local_lake):
    local_lake((0, 0, 0), (0, 2, 3))
    producer = FakeProducer()
    follower = make_follower({0: 1}, producer)
    install(monkeypatch, FakeConsumer(topic_of(follower, 6), begin=3))
    with following(follower):
        error = wait_for(producer, lambda mark: mark["error"])["error"]
    assert error == (
        "Kafka no longer holds all of mooc.records that follows the snapshot, and the lake lacks partition 0 offset 1. "
        "Train again: `millrace train mooc`."
    )


def test_lake_that_does_not_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch, local_lake, caplog):
    class ReopenedConsumer(FakeConsumer):
        def __call__(self, **options: object) -> FakeConsumer:
            self.closed = False
            return super().__call__(**options)

    answers = iter([UnavailableError("The lake does not answer: refused.")])

    def recall(workload, deleted):
        if error := next(answers, None):
            raise error
        return recall_records(workload, deleted)

    monkeypatch.setattr(version_follower, "RETRY_DELAY_S", 0.01)
    monkeypatch.setattr(version_follower, "recall_records", recall)
    local_lake((0, 0, 2))
    producer = FakeProducer()
    follower = make_follower({0: 1}, producer)
    install(monkeypatch, ReopenedConsumer(topic_of(follower, 3), begin=2))
    with following(follower):
        wait_for(producer, lambda mark: mark["offsets"] == {"0": 3} and mark["at"])
    assert "it can't read on, state is kept until it can: The lake does not answer: refused." in caplog.text


def test_full_disk_is_published_as_an_error_beside_the_offsets_published_before(monkeypatch, tmp_path):
    """And once there is room, everything is read again, and nothing of what was published twice counts twice."""
    monkeypatch.setattr("millrace.online.event_counts.ROOM_CHECK_EVENTS", 1)
    monkeypatch.setattr("millrace.online.version_follower.START_OVER_DELAY_S", 0.05)
    producer = FakeProducer()
    with ScratchFolder(tmp_path, 1 << 30) as folder:
        follower = make_follower({}, producer, scratch=folder)
        parts = topic_of(follower, 2)
        (part,) = parts
        install(monkeypatch, lambda **options: FakeConsumer(parts)(**options))
        with following(follower):
            wait_for(producer, lambda mark: mark["offsets"] == {"0": 2})
            folder.budget = -1
            value = orjson.dumps({"user_id": "U02", "course_id": "C06"})
            parts[part] += [(b"U02", value)] * 3
            mark = wait_for(producer, lambda mark: mark["error"])
            assert mark["offsets"] == {"0": 2}
            assert mark["error"].startswith("no room for the events since the snapshot: The events since")
            assert not [key for _, key, _ in producer.sent if key.endswith(b"/user/U02")]
            folder.budget = 1 << 30
            healed = wait_for(producer, lambda mark: mark["offsets"] == {"0": 5} and mark["error"] is None)
        assert (healed["accepted"], healed["repeated"]) == (2, 3)
        assert [value for _, key, value in producer.sent if key.endswith(b"/user/U02")] == [b'{"items":[6]}']
        assert folder.count_bytes() == 0


def test_everything_is_published_under_the_claim_and_nothing_without_one(monkeypatch: pytest.MonkeyPatch):
    producer = FakeProducer()
    follower = make_follower({0: 1}, producer)
    tenure = follower.publisher._lease
    tenure.claim = None
    install(monkeypatch, FakeConsumer(topic_of(follower, 3)))
    with following(follower):
        until(lambda: follower.fold.accepted, "the records are read")
        assert producer.sent == []
        tenure.claim = CLAIM
        wait_for(producer, lambda mark: mark["offsets"] == {"0": 3})
    assert set(producer.epochs) == {b"8"}
    assert {topic for topic, _, _ in producer.sent} == {"mooc.deltas"}


def test_message_that_is_too_large_is_left_out_and_named_once(caplog: pytest.LogCaptureFixture):
    class SmallProducer(FakeProducer):
        def send(self, topic: str, key: bytes, value: bytes | None, headers: Headers = ()) -> None:
            if b"/user/" in key:
                raise TooLargeError("9 bytes")
            super().send(topic, key, value, headers)

    producer = SmallProducer()
    tenure = Tenure(CLAIM)
    follower = make_follower({}, producer)
    publisher = StatePublisher(follower.fold, tenure, lambda: producer, lambda topic: [])
    for offset in range(2):
        take(follower, offset, enrolled_at=f"2026-01-0{offset + 1}")
        publisher.publish(CLAIM, lambda: (b"watermark", b"{}"), popular=True, heartbeat=False)
    assert tenure.claim is CLAIM, "nothing of it is under way"
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [
        f"mooc {made.VERSION}: {made.MODEL}/{made.VERSION}/user/U01 is left out: 9 bytes"
    ]
    assert any(b"/popular/" in key for _, key, _ in producer.sent)


def test_nothing_more_is_sent_under_a_claim_after_a_send_that_failed():
    class FailingProducer(FakeProducer):
        def flush(self) -> None:
            raise UnavailableError("no acknowledgement")

    tenure = Tenure(CLAIM)
    follower = make_follower({}, FailingProducer())
    publisher = StatePublisher(follower.fold, tenure, FailingProducer, lambda topic: [])
    with pytest.raises(UnavailableError):
        publisher.publish(CLAIM, lambda: (b"watermark", b"{}"), popular=True, heartbeat=True)
    assert (tenure.claim, tenure.uncertain) == (None, True)
