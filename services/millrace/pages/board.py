"""What is known of a stream of pages now: windows, clusters and the stream itself, from the messages it publishes."""

import threading
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from millrace.errors import BadInputError
from millrace.pages.messages import ClusterState, StreamState, WindowMessage
from millrace.records.numbers import show

KEPT_S = 7200  # seconds before the newest window that are kept
MAX_MINUTES = KEPT_S // 60
MAX_POINTS = 180  # steps of a timeline at most: more can't be told apart on a screen
MAX_AHEAD_S = 300  # seconds that a window may begin after the message that tells of it, for clocks that differ
WINDOW, CLUSTER, STREAM = "window/", "cluster/", "stream"


class Board:
    """A store that a follower writes and requests read, from any thread. Memory is bounded: two hours of windows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[int, WindowMessage] = {}
        """By start, seconds since 1970 UTC."""
        self._clusters: dict[int, ClusterState] = {}
        self._stream = StreamState()
        self._changes = 0

    @property
    def changed(self) -> int:
        """Grows with every message that was taken up: who saw this number has seen everything."""
        return self._changes

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        """Take up one message; no value takes its key away.

        Raises BadInputError for one that the stream does not write; then nothing has changed.
        """
        try:
            with self._lock:
                self._apply(key, value, timestamp_ms)
                self._changes += 1
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise BadInputError(f"{show(key)}: {where or 'the value'}: {first['msg']}.", field="value") from None
        except (ValueError, OverflowError) as error:
            allowed = "window/<start>, cluster/<number>, stream"
            raise BadInputError(f"{show(key)}: {error}; allowed: {allowed}.", field="key", allowed=allowed) from None

    def _apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        if key.startswith(WINDOW):
            start = int(datetime.fromisoformat(key.removeprefix(WINDOW)).timestamp())
            if value is None:
                self._windows.pop(start, None)
            elif start * 1000 > timestamp_ms + MAX_AHEAD_S * 1000:
                raise ValueError("the window begins after the message")  # it would push all the others out
            else:
                self._windows[start] = WindowMessage.model_validate_json(value)
                self._forget()
        elif key.startswith(CLUSTER):
            number = int(key.removeprefix(CLUSTER))
            if value is None:
                self._clusters.pop(number, None)
            else:
                state = ClusterState.model_validate_json(value)
                self._clusters[state.cluster] = state
        elif key == STREAM:
            self._stream = StreamState() if value is None else StreamState.model_validate_json(value)
        else:
            raise ValueError("the key is not known")

    def _forget(self) -> None:
        oldest = max(self._windows) - KEPT_S
        for start in [start for start in self._windows if start <= oldest]:
            del self._windows[start]

    def scope(self, key: str) -> str:
        """All of the topic is written by one stream."""
        return ""

    def begin_epoch(self, scope: str) -> None:
        """Another run of the stream publishes from here on: all that it knows, at once."""

    def doubt(self, key: str, timestamp_ms: int) -> None:
        """A message of a stream that had been replaced by then; the one that runs publishes the key again."""

    @property
    def watermark(self) -> float | None:
        """Seconds since 1970 UTC: when the newest page that is counted arrived; None before the first."""
        watermark = self._stream.watermark
        return None if watermark is None else watermark.timestamp()

    def describe(self) -> dict[str, Any]:
        """For readiness: the version that scored, and up to which offsets."""
        return {"version": self._stream.version, "offsets": self._stream.offsets}

    def clusters(self) -> list[dict[str, Any]]:
        """The clusters by number: label, size, share, words, hosts and example pages."""
        with self._lock:
            states = sorted(self._clusters.items())
        return [state.model_dump(mode="json") for _, state in states]

    def status(self) -> dict[str, Any]:
        """The stream's last message, its age in seconds, how old the newest page is, and the pages of the table."""
        with self._lock:
            stream, pages = self._stream, sum(one.size for one in self._clusters.values())
        now = datetime.now(UTC)
        return {
            **stream.model_dump(mode="json"),
            "age": age_s(now, stream.at),
            "watermark_age": age_s(now, stream.watermark),
            "pages": pages,
        }

    def timeline(self, minutes: int) -> dict[str, Any]:
        """Pages by step of time and cluster, of at most so many minutes up to the newest window.

        `step` is in seconds: that of the windows, or as many of them as keep the answer under `POINTS` steps.
        """
        with self._lock:
            windows, labels = dict(self._windows), {number: state.label for number, state in self._clusters.items()}
            watermark = self._stream.watermark
        if not windows:
            return {"from": None, "to": None, "step": None, "open": False, "messages": [], "clusters": []}
        newest = max(windows)
        end = newest + windows[newest].seconds
        wanted = max(end - 60 * minutes, min(windows))
        width = max(state.seconds for start, state in windows.items() if start >= wanted or start == newest)
        # One step is left over for the edges: the last one may hold less than a whole one.
        step = width * -(-(end - wanted) // (width * (MAX_POINTS - 1)))
        # A step that begins too early would show a part of its pages; nothing is before the very first window.
        first = wanted // step * step if wanted == min(windows) else min(-(-wanted // step), newest // step) * step
        steps = (newest - first) // step + 1
        messages, by_cluster = [0] * steps, {number: [0] * steps for number in labels}
        for start, state in windows.items():
            if (index := (start - first) // step) < 0:
                continue
            messages[index] += state.total
            for number, count in state.counts.items():
                by_cluster.setdefault(number, [0] * steps)[index] += count
        return {
            "from": to_iso(first),
            "to": to_iso(first + steps * step),
            "step": step,
            "open": watermark is not None and watermark.timestamp() < first + steps * step,
            "messages": messages,
            "clusters": [
                {"cluster": number, "label": labels.get(number, f"cluster {number}"), "pages": pages}
                for number, pages in sorted(by_cluster.items())
            ],
        }


def age_s(now: datetime, then: datetime | None) -> float | None:
    """Seconds from then to now, never below 0; None where nothing was then."""
    return None if then is None else round(max(0.0, (now - then).total_seconds()), 1)


def to_iso(seconds: int) -> str:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
