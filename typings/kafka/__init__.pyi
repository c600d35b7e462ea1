"""What is used of kafka-python 3, which has no types; basedpyright brings the stubs of version 2."""

from typing import Any, NamedTuple

class TopicPartition(NamedTuple):
    topic: str
    partition: int

class OffsetAndMetadata(NamedTuple):
    offset: int
    metadata: str = ""
    leader_epoch: int = -1

class ConsumerRebalanceListener: ...

class KafkaAdminClient:
    def __init__(self, **configs: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...

class KafkaConsumer:
    def __init__(self, *topics: str, **configs: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...

class KafkaProducer:
    def __init__(self, **configs: Any) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
