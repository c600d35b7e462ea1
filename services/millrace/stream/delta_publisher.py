"""The deltas topic: what has changed since the last time, as whole values by key."""

from typing import Any

import orjson

from millrace.errors import UnavailableError
from millrace.messaging.fence import hash_value, read_published
from millrace.messaging.fenced_writer import FencedWriter, KeyedValue, TopicLog
from millrace.workloads.base import Workload


class DeltaPublisher:
    """Publishes state by comparing it with what the topic says; what it no longer names gets a tombstone.

    It claims the topic, whoever has it: the stream's lease says which stream may. What another stream has overwritten
    since is published again or taken back. So a process that starts anew, or one that failed on its way, only has to
    publish all it knows.
    """

    def __init__(self, workload: Workload):
        """Raises UnavailableError."""
        self._log = TopicLog(workload.deltas_topic)
        self._writer = FencedWriter(self._log)
        self._hashes: dict[bytes, int] = {}
        """By key, of the value that the topic has; 0 where its readers may differ."""
        self._settled = False
        try:
            self._writer.catch_up()
            claim = self._writer.take_over()
            self._hashes = read_published(self._log.read(0, claim.epoch), claim, b"", self._writer.heartbeat_key)
        except BaseException:
            self.close()
            raise

    def _follow_log(self) -> None:
        self._writer.catch_up()
        self._hashes |= dict.fromkeys(self._writer.take_overwritten(), 0)

    def is_overwritten(self) -> bool:
        """Whether the topic holds what has to be published again. Raises FencedError as `publish` does."""
        try:
            self._follow_log()
        except UnavailableError:
            return False  # it is looked for again
        return 0 in self._hashes.values()

    def publish(self, state: dict[str, Any]) -> int:
        """Make the topic say this state; how many messages that took.

        Raises FencedError where another stream has claimed the topic, UnavailableError. This publisher is of no use
        afterwards: what failed may still arrive, and only another claim stands above that.
        """
        self._follow_log()
        wanted = {key.encode(): orjson.dumps(value) for key, value in state.items()}
        hashes = {key: hash_value(value) for key, value in wanted.items()}
        changes: list[KeyedValue] = [(key, None) for key in self._hashes if key not in wanted]
        changes += [(key, value) for key, value in wanted.items() if self._hashes.get(key) != hashes[key]]
        if changes:
            self._writer.send(changes)
        if not self._settled:
            self._writer.send_heartbeat()  # what a later stream takes for the sign that all was published
            self._settled = True
        self._hashes = hashes
        return len(changes)

    def close(self) -> None:
        """Leave the brokers."""
        self._log.close()
