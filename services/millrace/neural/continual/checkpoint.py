"""Checkpoints in object storage: one conditional PUT each, so that one is there whole or not at all.

continual/<workload>/<model>/<network>/checkpoints/<micro-batch>.state
continual/<workload>/<model>/<network>/cuts/<micro-batch>.json
"""

import logging

from millrace.errors import ConflictError, CorruptError, NotFoundError
from millrace.neural.continual.micro_batches import CutJournal
from millrace.neural.continual.plan import ContinualPlan
from millrace.neural.continual.state import TrainingState
from millrace.registry.store import ObjectStore
from millrace.rights import CONTINUAL

log = logging.getLogger(__name__)

KEPT_CHECKPOINTS = 2
SUFFIX = ".state"


class CheckpointStore:
    """The newest KEPT of one training, in `store`; the journal keeps the cuts that follow the oldest of them."""

    def __init__(self, store: ObjectStore, workload: str, model: str, network: str):
        self.store, self.root = store, f"{CONTINUAL}{workload}/{model}/{network}"
        self.prefix = f"{self.root}/checkpoints/"
        self.journal = CutJournal(store, self.root)

    def _batches(self) -> list[int]:
        keys = [key for key in self.store.keys(self.prefix) if key.endswith(SUFFIX)]
        return sorted(int(key.removeprefix(self.prefix).removesuffix(SUFFIX)) for key in keys)

    def key(self, batch: int) -> str:
        return f"{self.prefix}{batch:012d}{SUFFIX}"

    def write(self, state: TrainingState) -> int:
        """Its size in bytes. Raises ConflictError where another training has left another state of this micro-batch."""
        batch, content = state.progress.batch, state.to_bytes()
        try:
            self.store.put_if_absent(self.key(batch), content)
        except ConflictError:
            raise ConflictError(
                f"s3://{self.store.bucket}/{self.key(batch)} holds another state of micro-batch {batch}: another "
                "training runs here, or ran with other settings. Let only one run; --fresh starts over.",
                code="lost_race",
            ) from None
        kept = self._batches()
        for old in kept[:-KEPT_CHECKPOINTS]:
            self.store.delete(self.key(old))
        self.journal.forget(kept[-KEPT_CHECKPOINTS:][0])
        return len(content)

    def newest(self, plan: ContinualPlan) -> TrainingState | None:
        """The newest that can be trusted; one that can't is set aside as `.corrupt`.

        Raises CorruptError if all are such.
        """
        batches = self._batches()
        reasons = []
        for batch in reversed(batches):
            key = self.key(batch)
            try:
                content, _ = self.store.get(key)
            except NotFoundError:
                continue
            try:
                return TrainingState.from_bytes(content, f"s3://{self.store.bucket}/{key}", plan)
            except CorruptError as error:
                log.info("%s The checkpoint before it is used.", error.message)
                reasons.append(error.message)
                self.store.put(f"{key}.corrupt", content)
                self.store.delete(key)
        if reasons:
            raise CorruptError(
                f"No checkpoint below s3://{self.store.bucket}/{self.prefix} can be used. {reasons[-1]} "
                "--fresh starts from the newest published version.",
                field="checkpoint",
            )
        return None

    def clear(self) -> None:
        """Forget everything that was kept, corrupt ones too."""
        for key in self.store.keys(self.prefix):
            self.store.delete(key)
        self.journal.forget()
