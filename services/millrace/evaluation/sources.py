"""What candidates are fitted on: counts of a version of the events, made in memory here and by Spark in training.

`count` gives every event the same weight; in `time-weighted` one counts 2 ** -(age / half-life). A selection asks a
source for one version at a time, and says which options it will fit, so that a source can count for all of them in one
pass. Both sources give the same counts for the same events; tests/training/test_counting.py holds them to it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from millrace.recommend import als, knn, linear, markov, time_weighted
from millrace.recommend.als import AlsModel
from millrace.recommend.links import Links
from millrace.recommend.popularity import PopularityModel, rank_popular
from millrace.recommend.sequences import Sequences

Option = dict[str, Any]
"""Arguments of one fit: JSON."""
Options = Mapping[str, Sequence[Option]]
"""By candidate, the options it will be fitted with."""
COUNT, TIME_WEIGHTED = "count", "time-weighted"


class VersionCounts(Protocol):
    """The counts of one version, for as long as its source keeps them."""

    @property
    def items(self) -> int:
        """Item numbers are below this."""
        ...

    @property
    def is_timed(self) -> bool:
        """Whether the events have times, without which no window can be counted."""
        ...

    @property
    def window(self) -> float | None:
        """Seconds of popularity where an option names none; None is all time."""
        ...

    @property
    def popular(self) -> np.ndarray:
        """(known,) int32: what fills up answers, by the window's counts of events, then by those of all time."""
        ...

    @property
    def keep(self) -> int | None:
        """Links that an item of every fit may keep; None is as many as `links.links_per_item` says."""
        ...

    @property
    def seed(self) -> int: ...

    def popularity(self, window: float | None) -> PopularityModel: ...

    def knn_links(self, *, k1: float, alpha: float, keep: int | None) -> Links: ...

    def markov_links(self, *, norm: float, keep: int | None) -> Links: ...

    def gram(self) -> np.ndarray:
        """(items, items) float32 of `linear.count_gram`, made anew by each call: the caller keeps it."""
        ...

    def ridge_products(self) -> tuple[np.ndarray, np.ndarray]:
        """Both (items, items) float32 of `linear.count_ridge_products`, made anew by each call."""
        ...

    def als_model(self) -> AlsModel: ...

    def sequences(self) -> Sequences:
        """The events in memory, each item of a user once, where it came first."""
        ...


class CandidateSource(Protocol):
    """Events that models are fitted on."""

    @property
    def versions(self) -> tuple[str, ...]:
        """COUNT, and TIME_WEIGHTED where there are times and a half-life."""
        ...

    def count(self, version: str, options: Options) -> AbstractContextManager[VersionCounts]:
        """The counts of a version for fits with these options, and for no others."""
        ...


@dataclass(frozen=True)
class SequenceCounts:
    """VersionCounts in memory. Nothing but `gains` is kept: what several options share, their caller keeps."""

    interactions: Sequences
    half_life: float | None
    window: float | None
    popular: np.ndarray
    keep: int | None
    seed: int

    @property
    def items(self) -> int:
        return self.interactions.item_count

    @property
    def is_timed(self) -> bool:
        return self.interactions.times is not None

    @cached_property
    def gains(self) -> np.ndarray | None:
        """(n,) float64: what each interaction counts; None where each counts 1."""
        return None if self.half_life is None else time_weighted.event_gains(self.interactions, self.half_life)

    def popularity(self, window: float | None) -> PopularityModel:
        return PopularityModel.fit(self.interactions, window, self.gains)

    def knn_links(self, *, k1: float, alpha: float, keep: int | None) -> Links:
        if self.half_life is None:
            return knn.fit_knn(self.interactions, k1=k1, alpha=alpha, keep=keep)
        return time_weighted.fit_knn(self.interactions, self.half_life, k1=k1, alpha=alpha, keep=keep)

    def markov_links(self, *, norm: float, keep: int | None) -> Links:
        if self.half_life is None:
            return markov.fit_markov(self.interactions, norm=norm, keep=keep)
        return time_weighted.fit_markov(self.interactions, self.half_life, norm=norm, keep=keep)

    def gram(self) -> np.ndarray:
        return linear.count_gram(self.interactions, self.gains)

    def ridge_products(self) -> tuple[np.ndarray, np.ndarray]:
        return linear.count_ridge_products(self.interactions, self.gains)

    def als_model(self) -> AlsModel:
        return als.fit_als(self.interactions, gains=self.gains, seed=self.seed).with_popular(self.popular)

    def sequences(self) -> Sequences:
        return self.interactions.distinct()


@dataclass(frozen=True)
class SequenceSource:
    """Sequences in memory. `half_life` and `window`, that of `popular`, in seconds; `keep` as in VersionCounts."""

    sequences: Sequences
    half_life: float | None = None
    window: float | None = None
    keep: int | None = None
    seed: int = 20261121

    @property
    def versions(self) -> tuple[str, ...]:
        return (COUNT, TIME_WEIGHTED) if self.half_life and self.sequences.times is not None else (COUNT,)

    @cached_property
    def popular(self) -> np.ndarray:
        """(known,) int32, see VersionCounts."""
        return rank_popular(self.sequences, self.window)

    @contextmanager
    def count(self, version: str, options: Options) -> Iterator[SequenceCounts]:
        """The counts of a version; each is made where it is asked for."""
        half_life = None if version == COUNT else self.half_life
        yield SequenceCounts(self.sequences, half_life, self.window, self.popular, self.keep, self.seed)
