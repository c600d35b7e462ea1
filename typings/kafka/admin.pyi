from kafka import TopicPartition

class AbortTransactionSpec:
    topic_partition: TopicPartition
    def __init__(
        self, topic_partition: TopicPartition, producer_id: int, producer_epoch: int, coordinator_epoch: int
    ) -> None: ...
