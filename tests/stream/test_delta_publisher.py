"""What a stream publishes of its state, and what it mends, without a broker."""

import orjson
import pytest

from millrace.messaging.fence import Fence, FencedError, Standing
from millrace.stream import delta_publisher
from millrace.stream.delta_publisher import DeltaPublisher
from millrace.workloads import find_workload
from tests.online.log_world import Wire, World

URLS = find_workload("urls")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    result = World()
    monkeypatch.setattr(delta_publisher, "TopicLog", lambda topic: Wire(result))
    return result


def state(world: World) -> dict[str, int]:
    """What a process that starts now reads."""
    fence, result = Fence(), {}
    for message in world.messages:
        if fence.judge(message) is Standing.CURRENT and not fence.is_control(message.key):
            result[message.key.decode()] = message.value
    return {key: orjson.loads(value) for key, value in result.items() if value is not None}


def test_only_changes_are_published_and_what_is_named_no_more_is_taken_back(world):
    publisher = DeltaPublisher(URLS)
    assert publisher.publish({"a": 1, "b": 2}) == 2
    assert publisher.publish({"a": 1, "b": 3}) == 1
    assert publisher.publish({"b": 3}) == 1
    assert publisher.publish({"b": 3}) == 0
    assert state(world) == {"b": 3}


def test_next_stream_publishes_what_differs_and_the_first_one_ends(world):
    first = DeltaPublisher(URLS)
    first.publish({"a": 1, "b": 2, "c": 3})
    second = DeltaPublisher(URLS)
    assert second.publish({"a": 1, "b": 5}) == 2, "a is there, c is taken back"
    with pytest.raises(FencedError, match=r"mooc\.deltas has another writer"):
        first.publish({"a": 9})
    assert state(world) == {"a": 1, "b": 5}


def test_what_an_earlier_stream_still_sends_is_published_again_or_taken_back(world):
    first = DeltaPublisher(URLS)
    first.publish({"a": 1})
    old = first._writer.claim.headers
    second = DeltaPublisher(URLS)
    second.publish({"a": 2})
    assert not second.is_overwritten()
    for key in (b"a", b"z"):
        world.append((key, b"7"), old)
    assert second.is_overwritten()
    assert second.publish({"a": 2}) == 2
    assert not second.is_overwritten()
    assert state(world) == {"a": 2}
    assert next(message.value for message in reversed(world.messages) if message.key == b"z") is None


def test_messages_of_an_earlier_release_are_replaced(world):
    world.append((b"a", b"1"), [])
    world.append((b"b", b"2"), [])
    publisher = DeltaPublisher(URLS)
    assert state(world) == {"a": 1, "b": 2}
    assert publisher.publish({"a": 1}) == 2, "nothing is known of who has read what"
    assert state(world) == {"a": 1}


def test_stream_that_ended_before_it_had_published_all_is_not_trusted(world):
    first = DeltaPublisher(URLS)
    first._writer.send([(b"a", b"1")])
    second = DeltaPublisher(URLS)
    assert second.publish({"a": 1}) == 1
