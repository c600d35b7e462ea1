"""What a workload declares. Everything else (topics, tables, trainings, endpoints) is derived from it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from millrace.records.contract import Record

Row = dict[str, Any]
Fault = tuple[str, str, str]
"""(reason code, field, sentence) of what is wrong with a row before its fields are read."""


@dataclass(frozen=True)
class Feature:
    """One input of a model: a record's field and how it becomes a number (see millrace.scoring.features)."""

    field: str
    transform: str = "identity"
    default: Any = None
    """What the API assumes when a caller leaves the field out; None means that it must be given."""


@dataclass(frozen=True)
class ClusterModel:
    """A k-means model over standardised features.

    `axis` weighs the standardised centre coordinates; clusters are numbered by that sum, lowest first, so that
    a number and a name mean the same in every version. `names(k)` gives, per column of the answer (`label`,
    `label_id`, ...), the k names in that order.
    """

    name: str
    features: tuple[Feature, ...]
    k: tuple[int, ...]
    """The numbers of clusters to try; the best silhouette wins."""
    axis: Mapping[str, float]
    names: Callable[[int], dict[str, list[str]]]
    seed: int = 20261121


@dataclass(frozen=True)
class Endpoint:
    """A path that callers of the prototype know."""

    path: str
    model: str
    many: bool = False
    """False: an object in, an object out. True: a list in, a list of the same length and order out."""
    optional: tuple[str, ...] = ()
    """Fields accepted although the model does not use them, because callers send them."""


@dataclass(frozen=True)
class Workload:
    """One workload: its contract, its models, its generator and its kept paths."""

    name: str
    record: type[Record]
    identity: tuple[str, ...]
    """Fields that say which thing a record is about; a later record of the same identity replaces it."""
    generate: Callable[[Random, int], Iterator[Row]]
    """Rows of the same shape and dirt as the real source, as text, seeded by the Random."""
    models: tuple[ClusterModel, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    greeting: Mapping[str, str] | None = None
    """What `GET /` answers, where a caller of the prototype relies on it."""
    files: tuple[str, ...] = ()
    """Names under which the real file is known, for `make demo DATA=...`."""
    watched: tuple[str, ...] = ()
    """Fields whose change within one identity is reported as a conflict."""
    fault: Callable[[Row], Fault | None] = lambda row: None
    """Looks at a raw row as a whole: framing mistakes that single fields can't show."""
    repair: Callable[[Row], Iterable[Row]] = lambda row: (row,)
    """The rows that a rejected raw row really holds; used by `rejected replay`."""
    description: str = ""
    key: str = field(init=False, default="")
    """The Kafka key: the first identity field, so that all records of a thing share a partition."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.identity[0])

    def model(self, name: str) -> ClusterModel | None:
        return next((model for model in self.models if model.name == name), None)

    @property
    def fields(self) -> Sequence[str]:
        return tuple(self.record.model_fields)

    @property
    def records_topic(self) -> str:
        return f"{self.name}.records"

    @property
    def rejected_topic(self) -> str:
        return f"{self.name}.rejected"
