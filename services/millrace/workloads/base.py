"""What a workload declares. Everything else (topics, tables, trainings, endpoints) is derived from it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from millrace.records.contract import Record

ANONYMOUS = "\x01"
"""Before a session's id where it stands for a user who is not known; an id holds no control character."""
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
class RecommenderModel:
    """A top-n recommender over a workload's events: who took what, and when.

    `user` may be unknown in a record; the value of `session`, where given, then stands for a user who is never asked
    for. `labels` are the fields that name an item, in order; `names`, where given, is (workload, id field, name field)
    of the catalogue that names it better.
    """

    name: str
    user: str
    item: str
    time: str
    session: str | None = None
    labels: tuple[str, ...] = ()
    names: tuple[str, str, str] | None = None
    n: int = 10
    """How many items an answer has where the caller does not say."""
    half_life: float | None = None
    """Days after which an event counts half in the time-weighted versions; None trains no such versions."""
    window: float = 30.0
    """Days before the newest event that popularity looks at first."""
    seed: int = 20261121


@dataclass(frozen=True)
class SalesModel:
    """Sums of a workload's order lines by day: nothing is guessed, so that every training serves.

    Fields of the record: `time` and `customer` may be unknown in a line. `by` is what statistics can be asked for, and
    the field that says it; `labels` name the value of `item`, in order.
    """

    name: str
    time: str
    order: str
    customer: str
    item: str
    price: str
    by: Mapping[str, str]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class PageModel:
    """Clusters of the pages of a stream, by host, path and words (see millrace.pages).

    `url`, `title`, `keywords` and `time` are fields of the record. Pages are scored as they arrive, by the champion as
    it is; a training makes the next one, whose clusters keep the numbers of the ones before.
    """

    name: str
    url: str
    title: str
    keywords: str
    time: str
    k: tuple[int, ...] = (6, 8, 10)
    """The numbers of clusters to try at first; the best silhouette wins, and later versions keep it."""
    window: int = 10
    """Seconds of a window of the timeline."""
    seed: int = 20261121


Model = ClusterModel | RecommenderModel | SalesModel | PageModel


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
    """Fields that say which thing a record is about; a later record of the same identity replaces it. Where records
    are `events`, a later one of the same identity is the same event once more."""
    generate: Callable[[Random, int], Iterator[Row]]
    """Rows of the same shape and dirt as the real source, as text, seeded by the Random."""
    models: tuple[Model, ...] = ()
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
    events: bool = False
    """Whether records are events: none replaces another, and what was seen of an identity before is a duplicate."""
    mend: Callable[[Row], Row | None] = lambda row: None
    """The row as it was meant, where a known mistake of the source can be undone for certain; else None. It is called
    for every row, one with too few fields included: those that are missing are None."""
    expand: Callable[[Row], Iterable[Row] | None] = lambda row: None
    """The rows that one row of the source stands for, where it stands for several; each is then read on its own."""
    reads: tuple[str, ...] = ()
    """Names of a source's columns that only `expand` or `mend` read, beside those of the record's fields."""
    description: str = ""
    key: str = field(init=False, default="")
    """The Kafka key: the first identity field, so that all records of a thing share a partition."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.identity[0])

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)

    @property
    def clusterings(self) -> tuple[ClusterModel, ...]:
        return tuple(model for model in self.models if isinstance(model, ClusterModel))

    @property
    def recommenders(self) -> tuple[RecommenderModel, ...]:
        return tuple(model for model in self.models if isinstance(model, RecommenderModel))

    @property
    def sales(self) -> tuple[SalesModel, ...]:
        return tuple(model for model in self.models if isinstance(model, SalesModel))

    @property
    def pages(self) -> tuple[PageModel, ...]:
        return tuple(model for model in self.models if isinstance(model, PageModel))

    @property
    def live(self) -> bool:
        """Whether something follows the stream of this workload and publishes to its `deltas_topic`."""
        return bool(self.pages or self.recommenders)

    @property
    def fields(self) -> Sequence[str]:
        return tuple(self.record.model_fields)

    @property
    def records_topic(self) -> str:
        return f"{self.name}.records"

    @property
    def rejected_topic(self) -> str:
        return f"{self.name}.rejected"

    @property
    def deltas_topic(self) -> str:
        return f"{self.name}.deltas"

    @property
    def cluster_topics(self) -> tuple[str, ...]:
        """A topic for every cluster that a page model may have, by the cluster's number."""
        most = max((max(model.k) for model in self.pages), default=0)
        return tuple(f"{self.name}.cluster.{number}" for number in range(most))
