"""The offsets of consumer groups that belong to somebody else: looked at, and set before such a group has any."""

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError

from millrace.messaging.client import open_consumer, translate_errors


def has_offsets(group: str, topic: str) -> bool:
    """Whether a group has committed an offset of a topic. Raises UnavailableError."""
    with translate_errors(), open_consumer(group_id=group) as client:
        numbers = sorted(client.partitions_for_topic(topic) or ())
        return any(client.committed(TopicPartition(topic, number)) is not None for number in numbers)


def anchor_group(group: str, topic: str, is_new: bool) -> bool:
    """Let a group read on from a place in a topic, where it would begin with what comes later; true if it was changed.

    Of partitions of which it has committed nothing, that is the end now for one that is new, else the beginning; of
    those that no longer hold what it has committed, the beginning. A group that has members commits its own offsets,
    and is left alone. Raises UnavailableError.
    """
    with translate_errors(), open_consumer(group_id=group) as client:
        partitions = [TopicPartition(topic, number) for number in sorted(client.partitions_for_topic(topic) or ())]
        client.assign(partitions)
        begins, ends = client.beginning_offsets(partitions), client.end_offsets(partitions)
        targets: dict[TopicPartition, OffsetAndMetadata] = {}
        for partition in partitions:
            committed = client.committed(partition)
            if committed is None and is_new:
                targets[partition] = OffsetAndMetadata(ends[partition], "", -1)
            elif committed is None or committed < begins[partition]:
                targets[partition] = OffsetAndMetadata(begins[partition], "", -1)
        if not targets:
            return False
        try:
            client.commit(targets)
        except CommitFailedError:
            return False
    return True
