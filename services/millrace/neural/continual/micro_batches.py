"""Which offsets make a micro-batch: decided once and written down before anything is learned from it.

How far each partition has come depends on the moment. So a cut is an object of its own, put only if it is absent: after
a kill the same cuts are taken again, and a second trainer that cuts otherwise is told so before it learns anything.
"""

import orjson

from millrace.errors import ConflictError, NotFoundError
from millrace.neural.continual.event_log import OffsetRanges
from millrace.registry.store import ObjectStore


def next_cut(positions: dict[int, int], ends: dict[int, int], size: int) -> OffsetRanges | None:
    """The next `size` offsets, shared out evenly between the partitions that have them; None where there are fewer."""
    waiting = {number: end - positions.get(number, 0) for number, end in ends.items()}
    waiting = {number: count for number, count in waiting.items() if count > 0}
    if sum(waiting.values()) < size:
        return None
    ranges, left = {}, size
    for index, number in enumerate(sorted(waiting, key=lambda number: (waiting[number], number))):
        # Those with little give all they have; what they lack is shared by the fuller ones that follow.
        taken = min(waiting[number], left // (len(waiting) - index))
        if taken:
            ranges[number] = (positions.get(number, 0), positions.get(number, 0) + taken)
        left -= taken
    return dict(sorted(ranges.items()))


class CutJournal:
    """The cuts of micro-batches that no checkpoint has made unnecessary yet."""

    def __init__(self, store: ObjectStore, prefix: str):
        self.store, self.prefix = store, f"{prefix}/cuts/"

    def _key(self, batch: int) -> str:
        return f"{self.prefix}{batch:012d}.json"

    def get(self, batch: int) -> OffsetRanges | None:
        try:
            content, _ = self.store.get(self._key(batch))
        except NotFoundError:
            return None
        return {int(number): (first, end) for number, (first, end) in orjson.loads(content).items()}

    def put(self, batch: int, made: OffsetRanges) -> None:
        """Raises ConflictError where another trainer has cut this micro-batch otherwise."""
        try:
            self.store.put_if_absent(self._key(batch), orjson.dumps({str(number): made[number] for number in made}))
        except ConflictError:
            raise ConflictError(
                f"Micro-batch {batch} was cut otherwise by another training that uses s3://{self.store.bucket}/"
                f"{self.prefix}; nothing was learned from it. Let only one run, and start this one again.",
                code="lost_race",
            ) from None

    def forget(self, batch: int | None = None) -> None:
        """Delete the cuts up to a micro-batch; all of them where none is given."""
        for key in self.store.keys(self.prefix):
            if batch is None or int(key.removeprefix(self.prefix).removesuffix(".json")) <= batch:
                self.store.delete(key)
