"""Where a sink's coordinator begins: tests/pipeline/test_control.py kills a real one before its first commit."""

from typing import Any

import pytest
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError

from millrace.lake.coordinators import ensure_coordinators
from millrace.messaging import client, topics
from millrace.messaging.topics import CONTROL
from millrace.workloads import find_workload

RENTALS = find_workload("rentals")
SINK, COORDINATOR = "connect-lake-rentals", "connect-lake-rentals-coord"
HERE, RECORDS = TopicPartition(CONTROL, 0), TopicPartition(RENTALS.records_topic, 0)
BEGIN, END = 100, 500


class Broker:
    """Groups and their offsets; it lets nobody commit for a group that has members, as the real one."""

    def __init__(self, **committed: dict[TopicPartition, int]):
        self.groups: dict[str, dict[TopicPartition, int]] = {SINK: {}, COORDINATOR: {}} | committed
        self.members: set[str] = set()

    def __call__(self, **options: Any) -> "Client":
        assert options["enable_auto_commit"] is False
        return Client(self, options["group_id"])


class Client:
    def __init__(self, broker: Broker, group: str):
        self.broker, self.group = broker, group
        self.assigned: list[TopicPartition] = []

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in (CONTROL, RENTALS.records_topic) else None

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned = partitions

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, BEGIN)

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, END)

    def committed(self, partition: TopicPartition) -> int | None:
        return self.broker.groups[self.group].get(partition)

    def commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        assert set(offsets) <= set(self.assigned)
        if self.group in self.broker.members:
            raise CommitFailedError("UnknownMemberIdError")
        self.broker.groups[self.group] |= {partition: offset.offset for partition, offset in offsets.items()}

    def close(self) -> None:
        pass


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    result = Broker()
    monkeypatch.setattr(client, "KafkaConsumer", result)
    monkeypatch.setattr(client, "common_options", dict)
    return result


def test_coordinator_of_a_new_sink_begins_at_the_end_of_what_others_have_announced(broker):
    assert ensure_coordinators([RENTALS]) == [COORDINATOR]
    assert broker.groups[COORDINATOR] == {HERE: END}
    assert ensure_coordinators([RENTALS]) == []


def test_coordinator_that_ended_before_its_first_commit_reads_what_was_announced(broker):
    broker.groups[SINK] = {RECORDS: 12}
    assert ensure_coordinators([RENTALS]) == [COORDINATOR]
    assert broker.groups[COORDINATOR] == {HERE: BEGIN}


def test_offset_that_the_topic_no_longer_holds_is_moved_to_what_it_holds(broker):
    broker.groups |= {SINK: {RECORDS: 12}, COORDINATOR: {HERE: BEGIN - 1}}
    assert ensure_coordinators([RENTALS]) == [COORDINATOR]
    assert broker.groups[COORDINATOR] == {HERE: BEGIN}


@pytest.mark.parametrize("offset", [BEGIN, 300, END])
def test_offset_of_a_coordinator_is_left_alone(broker, offset):
    broker.groups |= {SINK: {RECORDS: 12}, COORDINATOR: {HERE: offset}}
    assert ensure_coordinators([RENTALS]) == []
    assert broker.groups[COORDINATOR] == {HERE: offset}


def test_running_coordinator_commits_its_own_offsets(broker):
    broker.members.add(COORDINATOR)
    assert ensure_coordinators([RENTALS]) == []
    assert broker.groups[COORDINATOR] == {}


def test_announcements_are_kept_longer_than_the_records_that_they_stand_for():
    retention = {
        topic.name: int(topic.configs.get("retention.ms", -1)) for topic in topics.list_wanted_topics([RENTALS])
    }
    assert retention[CONTROL] > retention[RENTALS.records_topic]


@pytest.mark.parametrize(
    ("present", "outdated"),
    [("604800000", True), ("2592000000", False), ("-1", False), ("86400000", False)],
)
def test_only_the_retention_of_an_earlier_release_is_raised(present, outdated):
    assert topics._is_outdated(CONTROL, {"retention.ms": present, "compression.type": "producer"}) is outdated
