"""The deltas topic: what has changed since the last time, as whole values by key."""

from typing import Any

import orjson

from millrace.messaging.producer import make_producer
from millrace.messaging.reader import read_all
from millrace.workloads.base import Workload


class DeltaPublisher:
    """Publishes state by comparing it with what the topic says already; what it no longer names gets a tombstone.

    So a process that starts anew, or one that failed on its way, only has to publish all it knows.
    """

    def __init__(self, workload: Workload):
        self.topic = workload.deltas_topic
        self._said: dict[bytes, bytes] = {}
        for message in read_all(self.topic):
            if message.key is not None:
                self._remember(message.key, message.value)
        self._producer = make_producer()

    def _remember(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._said.pop(key, None)
        else:
            self._said[key] = value

    def publish(self, state: dict[str, Any]) -> int:
        """Make the topic say this state; how many messages that took. Raises UnavailableError."""
        wanted = {key.encode(): orjson.dumps(value) for key, value in state.items()}
        changes: dict[bytes, bytes | None] = {key: None for key in self._said if key not in wanted}
        changes |= {key: value for key, value in wanted.items() if self._said.get(key) != value}
        for key, value in changes.items():
            self._producer.send(self.topic, key, value)
        self._producer.flush()
        for key, value in changes.items():
            self._remember(key, value)
        return len(changes)

    def close(self) -> None:
        self._producer.close()
