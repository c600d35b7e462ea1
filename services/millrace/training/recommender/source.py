"""Events in Spark as what candidates are fitted on (see evaluation/sources.py): each count is made once a version."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pyspark.sql import DataFrame

from millrace.evaluation.sources import COUNT, TIME_WEIGHTED, Options
from millrace.recommend.als import AlsModel
from millrace.recommend.links import Links
from millrace.recommend.popularity import PopularityModel, rank_windowed
from millrace.recommend.sequences import Sequences
from millrace.training.recommender import counting, factors
from millrace.training.recommender.counting import K1, TimeDecay


@dataclass(frozen=True)
class SparkSource:
    """Sequences (see events.group_by_user) of so many items, and when they end.

    `now`, `oldest`: seconds, None where no event has a time; `window`: seconds, of `popular`; `half_life`: seconds.
    """

    sequences: DataFrame
    items: int
    now: float | None
    oldest: float | None
    window: float
    half_life: float | None
    seed: int = 0

    @property
    def versions(self) -> tuple[str, ...]:
        return (COUNT, TIME_WEIGHTED) if self.half_life and self.now is not None else (COUNT,)

    def window_start(self, window: float | None) -> float | None:
        """Seconds at which popularity's window begins; None is the beginning of all time."""
        return None if window is None or self.now is None else self.now - window

    def make_decay(self, version: str) -> TimeDecay | None:
        """What an event of the version counts; None where each counts 1."""
        if version == COUNT:
            return None
        assert self.half_life
        assert self.now is not None
        assert self.oldest is not None
        return TimeDecay(self.now, self.half_life, self.oldest)

    @cached_property
    def popular(self) -> np.ndarray:
        """(known,) int32: what fills up answers and is given to the unknown, each event counted once."""
        return rank_windowed(*counting.count_popularity(self.sequences, self.items, [self.window_start(self.window)]))

    def collect(self) -> Sequences:
        """The sequences in this process' memory, each item once, where it came first: 4 bytes an event, 8 a user."""
        lists = self.sequences.select("items").toArrow().column("items").combine_chunks()
        starts = lists.offsets.to_numpy().astype(np.int64)
        return Sequences(lists.flatten().to_numpy().astype(np.int32), starts - starts[0], self.items).distinct()

    @contextmanager
    def count(self, version: str, options: Options) -> Iterator["SparkCounts"]:
        """The counts of a version, cached until the end of the context for fits with these options."""
        counts = SparkCounts(self, self.make_decay(version), options)
        try:
            yield counts
        finally:
            counts.release()


@dataclass(frozen=True)
class SparkCounts:
    """VersionCounts by Spark. What is counted together is counted in one pass, the first time that it is asked for."""

    source: SparkSource
    decay: TimeDecay | None
    options: Options

    keep: int | None = None

    @property
    def items(self) -> int:
        return self.source.items

    @property
    def is_timed(self) -> bool:
        return self.source.now is not None

    @property
    def window(self) -> float | None:
        return self.source.window

    @property
    def popular(self) -> np.ndarray:
        return self.source.popular

    @property
    def seed(self) -> int:
        return self.source.seed

    @cached_property
    def pairs(self) -> DataFrame:
        """counting.count_pairs for every k1 of the options, and for ease where it is one of them."""
        k1s = dict.fromkeys(option.get("k1", K1) for option in self.options.get("knn", ()))
        return counting.count_pairs(self.source.sequences, self.items, self.decay, tuple(k1s), "ease" in self.options)

    @cached_property
    def transitions(self) -> DataFrame:
        """counting.count_transitions."""
        return counting.count_transitions(self.source.sequences, self.items, self.decay)

    @cached_property
    def _popularity(self) -> dict[float | None, np.ndarray]:
        """Window, with None for all time -> (items,) gains in it."""
        windows = dict.fromkeys(option.get("window", self.window) for option in self.options.get("popularity", ()))
        since = [self.source.window_start(window) for window in windows]
        *within, whole = counting.count_popularity(self.source.sequences, self.items, since, self.decay)
        return dict(zip(windows, within, strict=True)) | {None: whole}

    def popularity(self, window: float | None) -> PopularityModel:
        lately = self._popularity[window]
        return PopularityModel(lately, rank_windowed(lately, self._popularity[None]))

    def knn_links(self, *, k1: float, alpha: float, keep: int | None) -> Links:
        return counting.make_knn(self.pairs, self.items, alpha, keep=keep, k1=k1)

    def markov_links(self, *, norm: float, keep: int | None) -> Links:
        return counting.make_markov(self.transitions, self.items, norm, keep=keep)

    def gram(self) -> np.ndarray:
        return counting.make_gram(self.pairs, self.items)

    def ridge_products(self) -> tuple[np.ndarray, np.ndarray]:
        products = counting.count_ridge_products(self.source.sequences, self.items, self.decay)
        try:
            return counting.make_ridge_products(products, self.items)
        finally:
            products.unpersist()

    def als_model(self) -> AlsModel:
        return factors.fit_als(self.source.sequences, self.items, self.popular, self.decay, self.seed)

    def sequences(self) -> Sequences:
        return self.source.collect()

    def release(self) -> None:
        """Drop what Spark keeps of the counts."""
        for name in ("pairs", "transitions"):
            if name in self.__dict__:
                getattr(self, name).unpersist()
