"""A transaction whose marker the broker has lost (KAFKA-20734) is found, and ended as it was decided."""

import struct
import time
from contextlib import contextmanager

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.local import jars
from millrace.messaging import hanging_transactions
from millrace.messaging.topics import CONTROL
from tests.local.broker import broker
from tests.registry.servers import settings_of

PART = TopicPartition(CONTROL, 0)


def write(own, name, values, commit=True):
    """A transaction for each value; the last one is ended as `commit` says."""
    producer = KafkaProducer(**own.login, transactional_id=name)
    producer.init_transactions()
    for number, value in enumerate(values, 1):
        producer.begin_transaction()
        producer.send(CONTROL, value).get(timeout=30)
        producer.commit_transaction() if commit or number < len(values) else producer.abort_transaction()
    producer.close(timeout=5)


def wait_for_the_marker(own):
    """The broker answers a commit before its marker is in the partition."""
    client = KafkaConsumer(**own.login, isolation_level="read_committed", group_id=None)
    deadline = time.monotonic() + 60
    while client.end_offsets([PART])[PART] < 4:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()


def lose_the_last_batch(folder):
    """Cut the partition's log before its last batch, and drop what was derived from it."""
    log = folder / f"{0:020}.log"
    data, begin = log.read_bytes(), 0
    while (after := begin + 12 + struct.unpack(">i", data[begin + 8 : begin + 12])[0]) < len(data):
        begin = after
    assert data[begin + 21 + 1] & 0x20, "the last batch is a marker"
    log.write_bytes(data[:begin])
    for derived in (*folder.glob("*.snapshot"), *folder.glob("*index")):
        derived.unlink()


def readable(own):
    """What a reader of committed messages gets, up to the last stable offset."""
    client = KafkaConsumer(**own.login, isolation_level="read_committed", enable_auto_commit=False, group_id=None)
    client.assign([PART])
    client.seek_to_beginning()
    end, result = client.end_offsets([PART])[PART], []
    while client.position(PART) < end:
        result += [item.value for batch in client.poll(timeout_ms=1000).values() for item in batch]
    client.close()
    return result


@contextmanager
def marker_lost(home, commit):
    """A broker whose log lacks the marker of the transaction `lost`, and has a later one; the broker."""
    jars.ensure_jars(["kafka"])
    (home / "logs").mkdir()
    with broker(home) as own:
        admin = KafkaAdminClient(**own.login)
        admin.create_topics([NewTopic(name=CONTROL, num_partitions=1, replication_factor=1)])
        admin.close()
        write(own, "lost", [b"zeroth", b"first"], commit)
        wait_for_the_marker(own)
    lose_the_last_batch(home / "kafka" / f"{CONTROL}-0")
    with broker(home) as own, settings_of(own.settings):
        write(own, "next", [b"second"])
        assert readable(own) == [b"zeroth"], "the transaction without an end holds back what came after it"
        yield own


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        (True, [b"zeroth", b"first", b"second"]),
        pytest.param(False, [b"zeroth", b"second"], marks=pytest.mark.thorough),
    ],
)
def test_lost_marker_is_rewritten_as_decided(engines, home, commit, expected):
    with marker_lost(home, commit) as own:
        (result,) = hanging_transactions.find_hanging(age=0)
        assert (result.partition, result.offset, result.committed) == (PART, 2, commit)
        assert hanging_transactions.find_hanging(age=600) == [], "nothing that young is touched"
        (output,) = hanging_transactions.end_hanging(age=0)
        assert "lake.control-0 holds a transaction open from offset 2" in output
        assert readable(own) == expected
        assert hanging_transactions.find_hanging(age=0) == []
        going = KafkaProducer(**own.login, transactional_id="going")
        going.init_transactions()
        going.begin_transaction()
        going.send(CONTROL, b"third").get(timeout=30)
        assert hanging_transactions.find_hanging(age=0) == [], "a transaction that goes on is its coordinator's"
        going.commit_transaction()
        going.close(timeout=5)
        assert readable(own) == [*expected, b"third"]


def test_transaction_whose_producer_restarted_is_reported_and_left_alone(engines, home):
    with marker_lost(home, True) as own:
        anew = KafkaProducer(**own.login, transactional_id="lost")
        anew.init_transactions()
        anew.close(timeout=5)
        (result,) = hanging_transactions.find_hanging(age=0)
        assert (result.partition, result.offset, result.committed) == (PART, 2, None)
        (output,) = hanging_transactions.end_hanging(age=0)
        assert "for you to say" in output
        assert readable(own) == [b"zeroth"]
        hanging_transactions.end_transaction(result)
        assert readable(own) == [b"zeroth", b"second"]
