"""A topic that was recreated under its name is told from the one before by its id."""

import pytest

from millrace.messaging.client import open_admin
from millrace.messaging.generations import Generations, fetch_topic_id, parse_generations
from tests.waiting import until


@pytest.mark.parametrize(
    ("topic_ids", "topic_id", "is_shorter", "entered", "current"),
    [
        ((), "a", False, ("a",), 0),
        ((), "a", True, ("", "a"), 1),  # what was read of before no id was noted is longer: another topic
        ((), None, True, (), 0),  # brokers that give no ids
        (("a",), "a", False, ("a",), 0),
        (("a",), "a", True, ("a",), 0),  # the same topic has lost records: no new generation hides that
        (("a",), "b", False, ("a", "b"), 1),
        (("a", "b"), "a", False, ("a", "b"), 0),  # back at the Kafka of before
        (("a", "b"), None, False, ("a", "b"), 1),
    ],
)
def test_topic_id_decides_the_generation(topic_ids, topic_id, is_shorter, entered, current):
    before = Generations(topic_ids, max(0, len(topic_ids) - 1))
    after = before.enter(topic_id, is_shorter)
    assert after == Generations(entered, current)
    assert parse_generations(after.as_json()) == after
    assert after.enter(topic_id, False) == after


def test_nothing_noted_is_the_first_generation():
    assert parse_generations(None) == parse_generations("") == Generations((), 0)


def test_recreated_topic_has_another_id(stack: object):
    name = "generations.test"
    with open_admin() as client:
        client.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        first = fetch_topic_id(name)
        assert first == fetch_topic_id(name)
        assert first is not None
        client.delete_topics([name])
        until(lambda: fetch_topic_id(name) is None, "the end of the topic")
        client.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        until(lambda: fetch_topic_id(name) not in {None, first}, "another id")
        client.delete_topics([name])
