from collections.abc import Mapping, Sequence
from enum import IntEnum

from kafka import TopicPartition

class AbortTransactionSpec:
    topic_partition: TopicPartition
    def __init__(
        self, topic_partition: TopicPartition, producer_id: int, producer_epoch: int, coordinator_epoch: int
    ) -> None: ...

class ConfigResourceType(IntEnum):
    TOPIC = 2

class ConfigResource:
    def __init__(
        self, resource_type: ConfigResourceType, name: str, configs: Mapping[str, str] | Sequence[str] | None = None
    ) -> None: ...
