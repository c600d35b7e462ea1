"""What a continual training is asked to do; the supervisor hands it to every worker."""

import math
from dataclasses import dataclass, fields
from typing import Any

from millrace.errors import BadInputError

NETWORKS = ("sasrec", "bert4rec")
FIXED_FIELDS = ("network", "width", "heads", "layers", "depth", "buffer", "seed")
"""Fields that a checkpoint decides: another value needs a new start."""

RUN_FIELDS = ("restarts", "until_end", "fresh", "accept_gaps")
"""Fields that say how to run and not what to learn; no state and no manifest holds them."""


@dataclass(frozen=True)
class ContinualPlan:
    """Sizes are in events where nothing else is said. The same plan over the same cuts gives the same weights."""

    network: str = "sasrec"
    workers: int = 2
    batch: int = 256
    """Events of a micro-batch; it is tested and trained on when it is full, never earlier."""
    steps: int = 4
    """Steps of the optimiser for each micro-batch."""
    replay: int = 256
    """Sequences of the replay buffer that join each step."""
    buffer: int = 50_000
    """The most events that the replay buffer holds; 16 bytes each."""
    checkpoint: int = 10
    """Micro-batches between two checkpoints."""
    publish: int = 10_000
    """Events between two publications."""
    held_out: int = 1024
    """Events on which the gate judges, taken from the stream before they are trained on."""
    items: int = 100_000
    """The most items the network has room for; events of others are counted as unknown."""
    width: int = 64
    heads: int = 2
    layers: int = 2
    depth: int = 50
    dropout: float = 0.2
    rate: float = 1e-3
    negatives: int = 1024
    """Drawn for each step; 0, or a catalogue that is no larger, takes all items."""
    restarts: int = 5
    """Times in a row that a group may end without another checkpoint before the command gives up."""
    seed: int = 20261121
    until_end: bool = False
    """Stop when no full micro-batch is left, instead of waiting for more."""
    fresh: bool = False
    """Leave earlier checkpoints behind and start from the newest published version."""
    accept_gaps: bool = False
    """Go on although the topic no longer holds events that were to be read next."""

    def __post_init__(self) -> None:
        """Raises BadInputError that names the field and what is allowed."""
        least = dict.fromkeys(("replay", "negatives", "restarts"), 0) | {"depth": 2}
        for option in fields(self):
            value = getattr(self, option.name)
            if option.type is int and value < least.get(option.name, 1):
                allowed = f"{least.get(option.name, 1)} or more"
                raise BadInputError(
                    f"--{option.name.replace('_', '-')} {value} is not usable; allowed: {allowed}.",
                    field=option.name,
                    allowed=allowed,
                )

    @property
    def learning(self) -> dict[str, Any]:
        """What decides on the weights; JSON."""
        return {name: value for name, value in vars(self).items() if name not in RUN_FIELDS}

    @property
    def ahead(self) -> int:
        """Micro-batches that the gate is judged on."""
        return math.ceil(self.held_out / self.batch)

    @property
    def every(self) -> int:
        """Micro-batches between two publications."""
        return max(1, math.ceil(self.publish / self.batch))
