"""Sums of sparse (items, items) matrices over all users, which Spark's partitions add up in memory bit by bit.

A DataFrame of rows holds one row of the matrix in each: `i`; `j`, the columns that are not empty, rising; and for each
name of a value an array as long as `j`. A partition keeps at most LIMIT entries before it hands over what it has; rows
are then shuffled once, whole, and those of one `i` are added up. So what is moved are sums, never pairs of events.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.recommend.links import Links, among, by_age, kept

LIMIT = 4_000_000  # entries of a partition's sum, some 100 MB; a block of users may go beyond it by BLOCK
BLOCK = 2_000_000  # pairs that a block of users makes, about
SENT = 500_000  # entries in a batch of rows


class Users:
    """Some users' events: `items` (n,) int, `since` (n,) seconds or NaN, `starts` (users + 1,)."""

    def __init__(self, items: np.ndarray, since: np.ndarray, starts: np.ndarray):
        self.items, self.since, self.starts = items, since, starts

    @property
    def numbers(self) -> np.ndarray:
        """(n,) the user of each event."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def summed(sequences: DataFrame, items: int, names: Sequence[str], count: Callable[[Users], list[Any]]) -> DataFrame:
    """The sum over all users of the CSR matrices, one a name, all of one pattern, that `count` makes of some. Cached.

    `count` runs in Spark's Python processes. The same partitions give the same sums to the last bit.
    """

    def partial(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total: list[Any] = []
        at = 0
        for users in (part for batch in batches for part in blocks(batch)):
            new = count(users)
            for matrix in new:
                matrix.sort_indices()
            total = [one + other for one, other in zip(total, new, strict=True)] if total else new
            if total[0].nnz > LIMIT:
                yield from rows(total, names, at)
                total, at = [], at + 1
        if total:
            yield from rows(total, names, at)

    def merged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: pa.Table | None = None
        for batch in batches:
            table = pa.Table.from_batches([batch])
            table = pa.concat_tables([held, table]).combine_chunks() if held is not None else table
            i = table.column("i").to_numpy()
            last = int(np.searchsorted(i, i[-1])) if len(i) else 0  # the last row's others may be in the next batch
            yield from added(table.slice(0, last), names, items)
            held = table.slice(last)
        if held is not None:
            yield from added(held, names, items)

    arrays = ", ".join(f"{name} array<double>" for name in names)
    found = sequences.select("items", "since").mapInArrow(partial, f"i int, at long, j array<int>, {arrays}")
    placed = found.withColumn("from", F.spark_partition_id())
    sorted_ = placed.repartition("i").sortWithinPartitions("i", "from", "at").drop("from", "at")
    return sorted_.mapInArrow(merged, f"i int, j array<int>, {arrays}").cache()


def blocks(batch: pa.RecordBatch) -> Iterator[Users]:
    """The users of a batch in blocks that make BLOCK pairs, about."""
    lists, times = batch.column("items"), batch.column("since")
    starts = lists.offsets.to_numpy().astype(np.int64)
    begin = int(starts[0]) if len(starts) else 0
    items = lists.flatten().to_numpy().astype(np.int64)
    since = times.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    starts = starts - begin
    cost = np.cumsum(np.diff(starts) ** 2) // BLOCK
    cuts = [0, *(np.flatnonzero(np.diff(cost)) + 1).tolist(), len(starts) - 1]
    for low, high in pairwise(cuts):
        if high > low:
            span = slice(starts[low], starts[high])
            yield Users(items[span], since[span], starts[low : high + 1] - starts[low])


def rows(matrices: Sequence[Any], names: Sequence[str], at: int | None = None) -> Iterator[pa.RecordBatch]:
    """The rows that are not empty, in batches."""
    first = matrices[0]
    ends = first.indptr
    filled = np.flatnonzero(np.diff(ends)).astype(np.int32)
    cuts = np.unique(np.searchsorted(ends[filled], np.arange(0, ends[-1] + SENT, SENT)))
    for low, high in zip(cuts, [*cuts[1:].tolist(), len(filled)], strict=True):
        if high <= low:
            continue
        chosen = filled[low:high]
        begin, end = ends[chosen[0]], ends[chosen[-1] + 1]
        starts = pa.array(np.append(ends[chosen], end) - begin, pa.int32())
        columns = {"i": pa.array(chosen)}
        if at is not None:
            columns["at"] = pa.array(np.full(len(chosen), at, dtype=np.int64))
        columns["j"] = pa.ListArray.from_arrays(starts, pa.array(first.indices[begin:end], pa.int32()))
        for name, matrix in zip(names, matrices, strict=True):
            values = pa.array(matrix.data[begin:end], pa.float64())
            columns[name] = pa.ListArray.from_arrays(starts, values)
        yield pa.RecordBatch.from_pydict(columns)


def added(table: pa.Table, names: Sequence[str], items: int) -> Iterator[pa.RecordBatch]:
    """Rows of one `i`, which follow each other, added up."""
    from scipy import sparse

    if not table.num_rows:
        return
    i = table.column("i").to_numpy()
    column = table.column("j").combine_chunks()
    lengths = np.diff(column.offsets.to_numpy())
    places, j = np.repeat(i, lengths), column.flatten().to_numpy()
    made = []
    for name in names:
        values = table.column(name).combine_chunks().flatten().to_numpy()
        matrix = sparse.coo_matrix((values, (places, j)), shape=(int(i[-1]) + 1, items)).tocsr()
        matrix.sum_duplicates()
        made.append(matrix)
    yield from rows(made, names)


def strongest(
    found: DataFrame, items: int, power: float, keep: int | None, value: Callable[[int, np.ndarray, dict], np.ndarray]
) -> Links:
    """Links of the `keep` largest values above 0 of each row, of equal ones the lower j; only these leave Spark.

    `value(i, j, {name: values})` says what each entry of a row is worth.
    """
    keep = kept(items) if keep is None else keep

    def chosen(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            taken: list[np.ndarray] = []
            weights: list[np.ndarray] = []
            for i, j, values in each(batch):
                worth = value(i, j, values).astype(np.float32)
                good = np.flatnonzero((worth > 0) & (j != i))
                if len(good) > keep:
                    good = good[among(worth[good], j[good], keep)]
                taken.append(j[good])
                weights.append(worth[good])
            starts = pa.array(np.cumsum([0, *(len(one) for one in taken)]), pa.int32())
            flat = (
                pa.array(np.concatenate([*taken, []]), pa.int32()),
                pa.array(np.concatenate([*weights, []]), pa.float32()),
            )
            lists = [pa.ListArray.from_arrays(starts, one) for one in flat]
            yield pa.RecordBatch.from_arrays([batch.column("i"), *lists], ["i", "j", "value"])

    table = found.mapInArrow(chosen, "i int, j array<int>, value array<float>").toArrow().combine_chunks()
    order = np.argsort(table.column("i").to_numpy())
    table = table.take(pa.array(order)).combine_chunks()
    lists = table.column("j").combine_chunks() if table.num_rows else pa.array([], pa.list_(pa.int32()))
    lengths = np.zeros(items, dtype=np.int64)
    lengths[table.column("i").to_numpy()] = np.diff(lists.offsets.to_numpy()) if table.num_rows else 0
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = table.column("value").combine_chunks().flatten() if table.num_rows else pa.array([], pa.float32())
    return Links(starts, lists.flatten().to_numpy().astype(np.int32), flat.to_numpy().astype(np.float32), by_age(power))


def each(batch: pa.RecordBatch) -> Iterator[tuple[int, np.ndarray, dict[str, np.ndarray]]]:
    """Row by row: i, j and the values by name."""
    names = batch.schema.names[2:]
    lists = batch.column("j")
    ends = lists.offsets.to_numpy()
    j = lists.flatten().to_numpy()
    values = {name: batch.column(name).flatten().to_numpy() for name in names}
    for place, i in enumerate(batch.column("i").to_pylist()):
        span = slice(ends[place] - ends[0], ends[place + 1] - ends[0])
        yield i, j[span], {name: one[span] for name, one in values.items()}
