"""A micro-batch scored: each record id once, whatever Kafka holds twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from millrace.stream.record_index import ARRIVAL, RecordIndex, find_repeats
from millrace.stream.score import PAGE, SCORED_SCHEMA
from millrace.stream.summary import BatchSummary, parse_summary

PAGES_PER_FILE = 100_000
Scoring = Callable[..., Iterator[pa.RecordBatch]]
"""`score_pages` with all but the record batches and `repeats`."""


@dataclass(frozen=True)
class ScoredBatch:
    """The pages of a batch that the table does not hold yet."""

    pages: DataFrame
    """Rows of the table of pages, cached."""
    summary: BatchSummary
    hashes: np.ndarray
    """(n,) uint64, of their record ids."""


@contextmanager
def score_batch(frame: DataFrame, scoring: Scoring, window: int, index: RecordIndex) -> Iterator[ScoredBatch]:
    """Score the records of a frame, but those whose id the index has, or a record before them in the frame.

    Hardly a batch has such records: the workers score all of it, and all but those once more where there are some.
    """
    scored = frame.mapInArrow(scoring, SCORED_SCHEMA).persist()
    try:
        summary, arrivals = _collect(scored, window)
        if repeats := find_repeats(arrivals, index):
            scored.unpersist()
            scored = frame.mapInArrow(partial(scoring, repeats=repeats), SCORED_SCHEMA).persist()
            summary, arrivals = _collect(scored, window)
        # A commit a second of a file each: the tasks' shares of a small batch make one file.
        pages = scored.where("summary IS NULL").select(*PAGE).coalesce(1 + summary.rows // PAGES_PER_FILE)
        yield ScoredBatch(pages, summary, arrivals["hash"])
    finally:
        scored.unpersist()


def describe_left_out(summary: BatchSummary) -> list[str]:
    """A sentence for each reason why records of a batch are not in the table."""
    counts = {"no pages": summary.unreadable, "in the table of pages already": summary.repeated}
    return [f"{count} records are {reason} and were left out" for reason, count in counts.items() if count]


def _collect(scored: DataFrame, window: int) -> tuple[BatchSummary, np.ndarray]:
    """What the tasks sum up to, and their records as ARRIVAL."""
    summary, arrivals = BatchSummary(window), [np.empty(0, ARRIVAL)]
    for row in scored.where("summary IS NOT NULL").select("summary", "arrivals").collect():
        summary.merge(parse_summary(bytes(row.summary)))
        arrivals.append(np.frombuffer(bytes(row.arrivals), ARRIVAL))
    return summary, np.concatenate(arrivals)
