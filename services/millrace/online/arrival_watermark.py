"""Until when everything that had arrived is read: the time that a version's watermark tells."""

import time

from millrace.messaging.reader import TopicReader

CHECK_INTERVAL_S = 1.0  # seconds between two times that the brokers are asked where the partitions end
UNKNOWN_END = 1 << 62  # an offset behind all others: of a partition whose end no fetch has said yet


class ArrivalWatermark:
    """Follows how far the partitions of a topic are read, in seconds since 1970."""

    def __init__(self) -> None:
        self.at: float | None = None
        """Everything that had arrived by then is read; None before that can be said."""
        self._newest: dict[int, int] = {}  # by partition, the timestamp of what was read last, in milliseconds
        self._due = 0.0

    @property
    def newest(self) -> float | None:
        """When the newest record that was read arrived."""
        newest = max(self._newest.values(), default=None)
        return None if newest is None else newest / 1000

    def note(self, partition: int, timestamp_ms: int) -> None:
        """A partition is read up to a record that arrived then."""
        self._newest[partition] = timestamp_ms

    def update(self, reader: TopicReader, began: float) -> None:
        """Where all partitions are read to their end, everything that had come before `began` is in.

        Once a second the brokers are asked where that is: what a fetch said last may be old.
        """
        parts = reader.assignment
        behind = [part for part in parts if reader.position(part) < (reader.high_watermark(part) or UNKNOWN_END)]
        empty = [part for part in behind if reader.high_watermark(part) == 0]
        late = [self._newest.get(part.partition) for part in set(behind) - set(empty)]
        if not late:
            if time.monotonic() >= self._due:
                ends = reader.end_offsets(parts)
                if all(reader.position(part) >= end for part, end in ends.items()):
                    self.at, self._due = began, time.monotonic() + CHECK_INTERVAL_S
        elif None not in late:
            self.at = min(at for at in late if at is not None) / 1000
