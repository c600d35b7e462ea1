"""What the stream knows of its clusters: counts by window, sizes, and what their pages of late have in common."""

import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

from millrace.pages.board import MAX_AHEAD_S
from millrace.stream.summary import BatchSummary, newest_examples

KEPT_S = 7200  # seconds of windows that are kept and published
HOUR_S = 3600
HALF_LIFE_S = 1800.0  # seconds after which a word or host counts half
MAX_NAMES = 2000  # words or hosts of a cluster that are counted; half of them are forgotten when there are more
SHOWN_NAMES = 10


def latest_plausible_s() -> float:
    """The latest arrival that is believed, in seconds since 1970."""
    return time.time() + MAX_AHEAD_S


def to_iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class DecayedCounts:
    """Counts that halve every HALF_LIFE: forward decay (Cormode et al., ICDE 2009), so that old ones stay untouched."""

    def __init__(self) -> None:
        self._weights: dict[str, float] = {}
        self._since = 0.0

    def add(self, counts: Counter[str], at: float) -> None:
        """Counts of the time `at`, in seconds since 1970."""
        if not self._weights or at - self._since > 20 * HALF_LIFE_S:
            factor = 0.5 ** ((at - self._since) / HALF_LIFE_S)
            self._weights = {name: weight * factor for name, weight in self._weights.items()}
            self._since = at
        grown = 2.0 ** ((at - self._since) / HALF_LIFE_S)
        for name, number in counts.items():
            self._weights[name] = self._weights.get(name, 0.0) + number * grown
        if len(self._weights) > MAX_NAMES:
            kept = sorted(self._weights.items(), key=lambda pair: -pair[1])[: MAX_NAMES // 2]
            self._weights = dict(kept)

    def top(self, at: float) -> list[tuple[str, int]]:
        """The SHOWN highest as they count at that time, at least 1."""
        factor = 0.5 ** ((at - self._since) / HALF_LIFE_S)
        ranked = sorted(self._weights.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN_NAMES]
        return [(name, max(1, round(weight * factor))) for name, weight in ranked]


class ClusterTally:
    """Absolute values in the driver's memory; whoever reads them again and again counts nothing twice.

    Time is that of the stream: the newest arrival. A page of a producer whose clock is wrong, more than AHEAD of this
    one's, is counted in its cluster and in no window: it would push all the others out.
    """

    def __init__(self, window: int):
        self.window = window
        self.sizes: Counter[int] = Counter()
        self.windows: dict[int, Counter[int]] = {}
        self.watermark = 0.0
        """The newest arrival in seconds since 1970; 0 before the first page."""
        self._words: dict[int, DecayedCounts] = defaultdict(DecayedCounts)
        self._hosts: dict[int, DecayedCounts] = defaultdict(DecayedCounts)
        self._examples: dict[int, list[tuple[int, str, str]]] = defaultdict(list)

    def rebuild(self, sizes: dict[int, int], windows: dict[int, dict[int, int]], newest_ms: int) -> None:
        """Begin with what the table of pages holds."""
        self.sizes = Counter(sizes)
        latest = latest_plausible_s()
        self.windows = {start: Counter(counts) for start, counts in windows.items() if start <= latest}
        self.watermark = min(newest_ms / 1000, latest)

    def add(self, summary: BatchSummary) -> None:
        """Count the pages of a batch."""
        latest = latest_plausible_s()
        for start, counts in summary.windows.items():
            self.sizes.update(counts)
            if start <= latest:
                self.windows.setdefault(start, Counter()).update(counts)
        self.describe(summary)
        oldest = self.watermark - KEPT_S
        self.windows = {start: counts for start, counts in self.windows.items() if start + self.window > oldest}

    def describe(self, summary: BatchSummary) -> None:
        """Take up words, hosts and examples; nothing is counted."""
        latest = latest_plausible_s()
        self.watermark = max(self.watermark, min(summary.newest / 1000, latest))
        for mine, theirs in ((self._words, summary.words), (self._hosts, summary.hosts)):
            for cluster, counts in theirs.items():
                mine[cluster].add(counts, self.watermark)
        for cluster, examples in summary.examples.items():
            believed = [example for example in examples if example[0] / 1000 <= latest]
            self._examples[cluster] = newest_examples([*self._examples[cluster], *believed])

    def shares(self, k: int) -> list[float]:
        """The share of each of k clusters in the last hour; zeros where there were no pages."""
        counts: Counter[int] = Counter()
        for start, window_counts in self.windows.items():
            if start + self.window > self.watermark - HOUR_S:
                counts.update(window_counts)
        whole = sum(counts[cluster] for cluster in range(k))
        return [counts[cluster] / whole if whole else 0.0 for cluster in range(k)]

    def messages(self, labels: list[str]) -> dict[str, Any]:
        """Every window and cluster as the deltas topic tells of them, by key."""
        messages: dict[str, Any] = {
            f"window/{to_iso(start)}": {
                "start": to_iso(start),
                "seconds": self.window,
                "counts": {str(cluster): counts[cluster] for cluster in sorted(counts)},
                "total": counts.total(),
            }
            for start, counts in sorted(self.windows.items())
        }
        for cluster, (label, share) in enumerate(zip(labels, self.shares(len(labels)), strict=True)):
            examples = reversed(self._examples[cluster])
            messages[f"cluster/{cluster}"] = {
                "cluster": cluster,
                "label": label,
                "size": self.sizes[cluster],
                "share": round(share, 6),
                "words": self._words[cluster].top(self.watermark),
                "hosts": self._hosts[cluster].top(self.watermark),
                "examples": [{"url": url, "title": title, "at": to_iso(at / 1000)} for at, url, title in examples],
            }
        return messages
