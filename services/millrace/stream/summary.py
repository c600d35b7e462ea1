"""What a share of a micro-batch sums up to: small, mergeable, JSON on its way from the workers to the driver."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import orjson
import pyarrow as pa

T = TypeVar("T")
MAX_URL, MAX_TITLE = 500, 200  # characters of examples: a longer URL is none, a longer title is cut
MAX_WORD_PAGES = 2000  # pages of a task whose words are counted: a burst of pages says the same many times
WORDS, HOSTS, EXAMPLES = 60, 30, 5  # of each cluster, that a task tells of


@dataclass
class BatchSummary:
    """Sums over some pages. `windows` are counts by (start in seconds, cluster)."""

    window: int
    rows: int = 0
    unreadable: int = 0
    repeated: int = 0
    """Records left out because their record id came before."""
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Partition -> (first, last) offset, unreadable and repeated records included."""
    windows: dict[int, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    squared: float = 0.0
    """The sum of squared distances."""
    words: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    hosts: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    examples: dict[int, list[tuple[int, str, str]]] = field(default_factory=lambda: defaultdict(list))
    """(milliseconds, URL, title) of the newest pages."""
    newest: int = 0
    """The latest arrival, in milliseconds since 1970."""
    features: np.ndarray | None = None
    """(k, d) sums of the features of each cluster's pages."""
    placed: np.ndarray | None = None
    """(k,) how many pages these were."""

    _spoken: int = 0

    def add_offsets(self, partitions: pa.Array, offsets: pa.Array) -> None:
        """Widen the ranges by these records."""
        numbers, places = partitions.to_numpy(), offsets.to_numpy()
        for number in np.unique(numbers):
            here = places[numbers == number]
            self._widen(int(number), int(here.min()), int(here.max()))

    def _widen(self, partition: int, low: int, high: int) -> None:
        first, last = self.offsets.get(partition, (low, high))
        self.offsets[partition] = min(first, low), max(last, high)

    def add(
        self,
        timestamps: pa.Array,
        clusters: np.ndarray,
        distances: np.ndarray,
        hosts: Iterable[str],
        words: Iterable[list[str]],
        urls: list[str],
        titles: list[str | None],
    ) -> None:
        """Count pages: `timestamps` are their arrivals, `distances` those to the centres of their `clusters`."""
        millis = timestamps.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() // 1000
        starts = millis // 1000 // self.window * self.window
        self.rows += len(urls)
        self.squared += float(np.square(distances).sum())
        self.newest = max(self.newest, int(millis.max()))
        pairs, counts = np.unique(np.stack([starts, clusters]), axis=1, return_counts=True)
        for (start, cluster), number in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            self.windows[start][cluster] += number
        for cluster, host in zip(clusters.tolist(), hosts, strict=True):
            if host:
                self.hosts[cluster][host] += 1
        for cluster, spoken in zip(
            clusters.tolist(), islice(words, max(0, MAX_WORD_PAGES - self._spoken)), strict=False
        ):
            self.words[cluster].update(spoken)
        self._spoken += len(urls)
        for index in np.argsort(millis, kind="stable")[-200:].tolist():
            if len(urls[index]) <= MAX_URL:
                self._show(int(clusters[index]), (int(millis[index]), urls[index], (titles[index] or "")[:MAX_TITLE]))

    def _show(self, cluster: int, example: tuple[int, str, str]) -> None:
        self.examples[cluster] = newest_examples([*self.examples[cluster], example])

    def add_features(self, clusters: np.ndarray, features: np.ndarray, k: int) -> None:
        """Add the (n, d) `features` of pages to the sums of their clusters."""
        members = clusters == np.arange(k)[:, None]
        sums, counts = members.astype(features.dtype) @ features, members.sum(axis=1)
        self.features = sums if self.features is None else self.features + sums
        self.placed = counts if self.placed is None else self.placed + counts

    def merge(self, other: "BatchSummary") -> None:
        self.rows += other.rows
        self.unreadable += other.unreadable
        self.repeated += other.repeated
        self.squared += other.squared
        self.newest = max(self.newest, other.newest)
        for partition, (first, last) in other.offsets.items():
            self._widen(partition, first, last)
        _add_up(self.windows, other.windows)
        _add_up(self.words, other.words)
        _add_up(self.hosts, other.hosts)
        for cluster, examples in other.examples.items():
            self.examples[cluster] = newest_examples([*self.examples[cluster], *examples])
        if other.features is not None and other.placed is not None:
            self.features = other.features if self.features is None else self.features + other.features
            self.placed = other.placed if self.placed is None else self.placed + other.placed

    def as_json(self) -> bytes:
        body: dict[str, Any] = {
            **{name: value for name, value in self.__dict__.items() if name != "_spoken"},
            "words": {cluster: counts.most_common(WORDS) for cluster, counts in self.words.items()},
            "hosts": {cluster: counts.most_common(HOSTS) for cluster, counts in self.hosts.items()},
        }
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def newest_examples(examples: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """The newest of `examples`, the newest last, each URL once."""
    by_url = {url: (at, url, title) for at, url, title in sorted(examples, key=lambda example: example[0])}
    return sorted(by_url.values(), key=lambda example: example[0])[-EXAMPLES:]


def parse_summary(content: bytes) -> BatchSummary:
    """The summary in `as_json`."""
    body = orjson.loads(content)
    counts = {name: body[name] for name in ("rows", "unreadable", "repeated", "squared", "newest")}
    summary = BatchSummary(body["window"], **counts)
    summary.offsets = {int(partition): (first, last) for partition, (first, last) in body["offsets"].items()}
    for start, counts in body["windows"].items():
        summary.windows[int(start)].update({int(cluster): number for cluster, number in counts.items()})
    for mine, theirs in ((summary.words, body["words"]), (summary.hosts, body["hosts"])):
        for cluster, pairs in theirs.items():
            mine[int(cluster)].update(dict(pairs))
    for cluster, examples in body["examples"].items():
        summary.examples[int(cluster)] = [(at, url, title) for at, url, title in examples]
    if body["features"] is not None:
        summary.features, summary.placed = np.array(body["features"]), np.array(body["placed"])
    return summary


def summarise_rows(rows: pa.Table, window: int) -> BatchSummary:
    """Words, hosts and examples of rows of the table of pages; it does not hold their keywords."""
    from millrace.pages.words import page_words

    summary = BatchSummary(window)
    if rows.num_rows:
        urls, titles, hosts = (rows.column(name).to_pylist() for name in ("url", "title", "host"))
        spoken = (page_words(title, None, url) for title, url in zip(titles, urls, strict=True))
        timestamps = rows.column("kafka_timestamp").combine_chunks()
        clusters, distances = rows.column("cluster").to_numpy(), rows.column("distance").to_numpy()
        summary.add(timestamps, clusters, distances, hosts, spoken, urls, titles)
    return summary


def _add_up(counts: dict[int, Counter[T]], others: Mapping[int, Counter[T]]) -> None:
    for number, more in others.items():
        counts[number].update(more)
