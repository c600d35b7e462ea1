"""A recommender's events in a snapshot of the lake as sequences, read without Spark: 40 bytes an event in memory."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from millrace.errors import BadInputError
from millrace.recommend.sequences import Sequences
from millrace.records.times import is_plausible
from millrace.workloads.base import ANONYMOUS, RecommenderModel, Workload

COMPUTE: Any = pc  # its functions are made when it is imported
ARRIVAL = ("kafka_timestamp", "kafka_partition", "kafka_offset")


def read_snapshot(workload: Workload, snapshot_id: str | None = None) -> tuple[str, Sequences]:
    """The snapshot's id, the newest by default, and each user's events, each item once, in the order of training.

    Raises BadInputError for a workload without a recommender, or where the lake is empty.
    """
    from millrace.lake import tables

    if not workload.recommenders:
        raise BadInputError(f"{workload.name} has no recommender to evaluate.", field="workload")
    table = tables.load_table(workload.name)
    snapshot = table.snapshot_by_id(int(snapshot_id)) if snapshot_id else table.current_snapshot()
    if snapshot is None:
        raise BadInputError(
            f"The lake holds no such snapshot of {workload.name}. Ingest some records.", field="snapshot"
        )
    fields = tuple(dict.fromkeys((*workload.identity, *ARRIVAL)))
    rows = table.scan(selected_fields=fields, snapshot_id=snapshot.snapshot_id).to_arrow()
    return str(snapshot.snapshot_id), make_sequences(rows, workload, workload.recommenders[0])


def make_sequences(rows: pa.Table, workload: Workload, model: RecommenderModel) -> Sequences:
    """What millrace.training.events makes of the same rows, in memory."""
    ordered = rows.sort_by([(name, "ascending") for name in ARRIVAL])
    ordered = ordered.append_column("row", pa.array(np.arange(len(ordered))))
    first = ordered.group_by(list(workload.identity)).aggregate([("row", "min")]).column("row_min")
    once = ordered.take(first.take(COMPUTE.sort_indices(first)))
    user = once.column(model.user)
    if model.session:
        session = once.column(model.session).cast(pa.string())
        user = COMPUTE.coalesce(user, COMPUTE.binary_join_element_wise(pa.scalar(ANONYMOUS), session, ""))
    users = _encode(user)[0]
    items, ids = _encode(once.column(model.item))
    at, arrival = _to_micros(once.column(model.time)), _to_micros(once.column(ARRIVAL[0]))
    at = np.where(is_plausible(at, arrival), at / 1e6, np.nan)
    since = carry_forward(users, at)
    order = np.lexsort((np.arange(len(users)), np.where(np.isnan(since), -np.inf, since), users))
    starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=users.max(initial=-1) + 1))]).astype(np.int64)
    times = None
    if np.isfinite(at).sum() > len(at) / 2:
        times = np.where(np.isnan(since), np.nanmin(at), since)[order]
    return Sequences(items[order].astype(np.int32), starts, len(ids), times, ids).distinct()


def carry_forward(users: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(n,) times in order of arrival, each that is NaN replaced by the last known one of the same user before it."""
    order = np.lexsort((np.arange(len(users)), users))
    positions = np.arange(len(order))
    known = np.where(np.isfinite(at[order]), positions, -1)
    begins = np.concatenate([[True], np.diff(users[order]) != 0])[: len(order)]
    first = np.maximum.accumulate(np.where(begins, positions, 0))
    latest = np.maximum.accumulate(known)
    carried_times = np.full(len(at), np.nan)
    carried_times[order] = np.where(latest >= first, at[order][np.maximum(latest, 0)], np.nan)
    return carried_times


def _to_micros(column: pa.ChunkedArray) -> np.ndarray:
    """(n,) float64 of a column of times: whole microseconds since 1970 UTC, NaN where it is null."""
    numbers = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers.astype(np.float64)


def _encode(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers from 0 in the order of the sorted values, and the values."""
    values, codes = np.unique(column.to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    return codes, values
