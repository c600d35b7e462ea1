"""One run of the stream: from what the table of pages holds, batch by batch, until it is stopped or fails."""

import logging
import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from millrace.errors import UnavailableError
from millrace.lake.lease import Check
from millrace.runtime.signals import StopSignal
from millrace.settings import settings
from millrace.stream import cluster_topics, source, tally
from millrace.stream.batch import describe_left_out, score_batch
from millrace.stream.champion import ChampionFollower, ScoringModel
from millrace.stream.delta_publisher import DeltaPublisher
from millrace.stream.drift import StreamDrift, make_drift
from millrace.stream.metrics import StreamMetrics
from millrace.stream.pages_table import PagesTable
from millrace.stream.record_index import RecordIndex
from millrace.stream.score import score_pages
from millrace.stream.summary import BatchSummary, summarise_rows
from millrace.workloads.base import PageModel, Workload

log = logging.getLogger(__name__)
DESCRIBED_PAGES = 2000  # rows of the table from which words, hosts and examples are known after a start
RATE_WINDOW_S = 30.0  # seconds over which pages a second are counted
CHAMPION_CHECK_INTERVAL_S = 1.0  # seconds between two looks for a new champion while no page arrives
PROGRESS_INTERVAL_S = 5.0  # seconds between two lines of progress


class StreamHaltedError(Exception):
    """A batch that failed, or one that does not begin any more."""


class PageStream:
    """`begin` reads what there is and starts the query; `follow` returns when it was stopped, or raises its fault."""

    def __init__(
        self,
        spark: SparkSession,
        workload: Workload,
        declared: PageModel,
        follower: ChampionFollower,
        metrics: StreamMetrics,
    ):
        self.spark, self.workload, self.declared = spark, workload, declared
        self.follower, self.metrics = follower, metrics
        self.tally = tally.ClusterTally(declared.window)
        self.batches = 0
        self._drift: StreamDrift | None = None
        self._scored_by: str | None = None
        self._rates: deque[tuple[float, int]] = deque()
        self._failure: Exception | None = None
        self.query: StreamingQuery | None = None
        self.deltas: DeltaPublisher | None = None
        self._lock = threading.Lock()
        """Held by a batch, and by what is done between two."""
        self._busy = self._halting = False
        self._looked = 0.0
        self._said = (0.0, 0)

    def begin(self, check: Check) -> None:
        """`check` is the lease's: it raises UnavailableError before a batch is written without it."""
        self._check = check
        self.table = PagesTable(self.spark, self.workload)
        if repaired := cluster_topics.repair_last_batch(self.table, self.workload, self.follower.labels_of):
            self.metrics.add("repaired_total", repaired)
            log.info("%s pages of the last batch were not in the topics of their clusters; they are now", repaired)
        # What the table holds is left out when Kafka has it once more.
        self.index = RecordIndex.build(settings().home / "stream", self.table.record_hashes())
        held = self.table.read_state()
        self.read, first = source.find_start(self.table, self.workload.records_topic, held)
        since = min(held.newest // 1000, int(tally.latest_plausible_s()))
        windows = self.table.windows(self.declared.window, since - tally.KEPT_S) if since else {}
        self.tally.rebuild(held.sizes, windows, held.newest)
        if since:
            recent = self.table.latest(since - tally.HOUR_S, DESCRIBED_PAGES)
            self.tally.describe(summarise_rows(recent, self.declared.window))
        self.deltas = DeltaPublisher(self.workload)
        self._check_champion()
        self._publish(0, 0.0)
        checkpoint = settings().home / "stream" / self.workload.name
        # What it would say is older than the table: each start begins from the table.
        shutil.rmtree(checkpoint, ignore_errors=True)
        self.query = (
            source.read_records(self.spark, self.workload, first)
            .writeStream.queryName(f"millrace-{self.workload.name}")
            # No URI with escapes: Hadoop would make a folder with the escapes in its name.
            .option("checkpointLocation", f"file://{checkpoint}")
            .trigger(processingTime=f"{settings().stream_interval * 1000:.0f} milliseconds")
            .foreachBatch(self._run_batch)
            .start()
        )
        self.metrics.set("running", 1)
        pages = sum(held.sizes.values())
        log.info("reading %s behind %s pages, scored by %s", self.workload.records_topic, pages, self.version)

    @property
    def version(self) -> str:
        return self._scoring_model().version

    def _scoring_model(self) -> ScoringModel:
        assert self.follower.current is not None
        return self.follower.current

    def follow(self, stop: StopSignal) -> None:
        """Returns when a batch that was at work has ended after the signal. Raises what ended the query."""
        assert self.query is not None
        while stop.signal is None:
            if self._failure or not self.query.isActive:
                raise self._failure or self.query.exception() or RuntimeError("the query ended without a reason")
            self._publish_new_champion()
            self._progress()
            time.sleep(0.2)
        self._halt()
        self._progress(last=True)

    def close(self) -> None:
        """End the query and the producer, whatever state they are in."""
        self.metrics.set("running", 0)
        if self.query is not None:
            self._halt()
        if self.deltas is not None:
            self.deltas.close()

    def _halt(self) -> None:
        """Stop the query, not in the middle of a batch."""
        self._halting = True
        while self._busy:
            time.sleep(0.05)
        if self.query is not None:
            self.query.stop()

    def _run_batch(self, frame: DataFrame, number: int) -> None:
        self._busy = True
        try:
            if self._halting:
                raise StreamHaltedError
            with self._lock:
                self._process_batch(frame)
        except Exception as error:  # noqa: BLE001 - kept for `follow`, the query gets a short one
            self._failure = error
            # Spark 4.0 looks through the whole message with a regular expression that overflows the stack on a trace.
            raise StreamHaltedError(type(error).__name__) from None
        finally:
            self._busy = False

    def _process_batch(self, frame: DataFrame) -> None:
        started = time.monotonic()
        self._check_champion()
        current = self._scoring_model()
        arrays = current.broadcast(self.spark.sparkContext)
        constant = {"version": current.version, "declared": self.declared, "generation": self.table.generation}
        scoring = partial(score_pages, arrays=arrays, **constant)
        with score_batch(frame, scoring, self.declared.window, self.index) as batch:
            if batch.summary.rows:
                self._check()
                self.table.append(batch.pages, batch.summary.offsets)
                self.index.add(batch.hashes)
                cluster_topics.send_pages(batch.pages, self.workload, {current.version: current.labels})
        self._count(batch.summary, time.monotonic() - started)

    def _count(self, summary: BatchSummary, seconds: float) -> None:
        self.batches += 1
        self.tally.add(summary)
        assert self._drift is not None
        self._drift.add(summary)
        self.read |= {partition: last for partition, (_, last) in summary.offsets.items()}
        self.metrics.add("rows_total", summary.rows)
        self.metrics.add("unreadable_total", summary.unreadable)
        self.metrics.add("repeated_total", summary.repeated)
        self.metrics.add("batches_total", 1)
        self.metrics.add("batch_seconds_total", seconds)
        for sentence in describe_left_out(summary):
            log.info("%s: %s", self.workload.records_topic, sentence)
        self.metrics.set("batch_seconds", seconds)
        now = time.monotonic()
        self._rates.append((now, summary.rows))
        while self._rates[0][0] < now - RATE_WINDOW_S:
            self._rates.popleft()
        self._publish(summary.rows, sum(rows for _, rows in self._rates) / RATE_WINDOW_S)

    def _publish_new_champion(self) -> None:
        """A new champion has its names shown although no page arrives."""
        if time.monotonic() - self._looked < CHAMPION_CHECK_INTERVAL_S or not self._lock.acquire(blocking=False):
            return
        try:
            if self._check_champion() or (self.deltas and self.deltas.is_overwritten()):
                self._publish(0, 0.0)
        finally:
            self._lock.release()

    def _check_champion(self) -> bool:
        self._looked = time.monotonic()
        refused = self.follower.refused
        with suppress(UnavailableError):  # the registry is away: what scores goes on scoring
            self.follower.check()
        self.metrics.add("champion_refused_total", self.follower.refused - refused)
        current = self._scoring_model()
        if self._scored_by == current.version:
            return False
        if self._scored_by:
            self.metrics.add("champion_swaps_total")
            log.info("scored by %s from here on", current.version)
        self._scored_by = current.version
        self._drift = make_drift(current.manifest.parameters, current.manifest.metrics, current.model.centres)
        self.metrics.replace("version", {current.version: 1})
        return True

    def _publish(self, rows: int, rate: float) -> None:
        current, measures = self._scoring_model(), self._drift.measure() if self._drift else {}
        state = self.tally.messages(current.labels)
        state["stream"] = {
            "version": current.version,
            "batch": self.batches,
            "rows": rows,
            "rows_per_second": round(rate, 3),
            "watermark": tally.to_iso(self.tally.watermark) if self.tally.watermark else None,
            "at": tally.to_iso(time.time()),
            **measures,
            "generation": self.table.generation,
            "offsets": {str(partition): offset + 1 for partition, offset in sorted(self.read.items())},
        }
        assert self.deltas is not None
        self.deltas.publish(state)
        self.metrics.set("watermark_seconds", self.tally.watermark)
        for name, value in measures.items():
            self.metrics.set(name, value)
        numbers = range(len(current.labels))
        sizes: dict[str, float] = {str(number): self.tally.sizes[number] for number in numbers}
        self.metrics.replace("cluster_pages", sizes)

    def _progress(self, last: bool = False) -> None:
        at, batches = self._said
        if not last and time.monotonic() - at < PROGRESS_INTERVAL_S:
            return
        self._said = time.monotonic(), self.batches
        lag = source.count_lag(self.query, self.workload.records_topic, self.read)
        self.metrics.set("lag", lag)
        if self.batches != batches or last:
            seen = tally.to_iso(self.tally.watermark) if self.tally.watermark else "nothing yet"
            pages = self.tally.sizes.total()
            log.info("batch %s: %s pages in the lake, arrivals up to %s, %s to go", self.batches, pages, seen, lag)
