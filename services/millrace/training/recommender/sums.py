"""Sums of sparse (items, items) matrices over all users, which Spark's partitions add up in memory bit by bit.

A DataFrame of rows holds one row of the matrix in each: `i`; `j`, the columns that are not empty, rising, as the bytes
of an int32 array; and for each name of a value its diagonal, `own_` before the name, and the bytes of a float64 array
as long (bytes, which Spark moves as they are: arrays it would copy number by number). A partition keeps at most
MAX_ENTRIES values before it hands over what it has; rows are then shuffled once, whole, and those of one `i` are added
up. So what is moved are sums, never pairs of events.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.recommend.links import Links, age_weights, links_per_item, strongest_mask
from millrace.recommend.sequences import Sequences

MAX_ENTRIES = 12_000_000  # values of a partition's sums, some 200 MB; a block of users may go beyond it by BLOCK
BLOCK_PAIRS = 12_000_000  # values that a block of users makes, about: one for each pair and name
MAX_SENT_VALUES = 500_000  # entries in a batch of rows
MAX_COLLECTED_BYTES = 256_000_000  # of rows that the driver holds at a time; Spark refuses to collect more than 1 GB


def sum_matrices(
    sequences: DataFrame,
    items: int,
    names: Sequence[str],
    count: Callable[[Sequences], list[Any]],
    width: int | None = None,
) -> DataFrame:
    """The sum over all users of the CSR matrices, one a name, all of one pattern, that `count` makes of some. Cached.

    They are (items, `width`), (items, items) where it is left out. `count` runs in Spark's Python processes. The same
    partitions give the same sums to the last bit.
    """

    def partial(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total: list[Any] = []
        at = 0
        for users in (part for batch in batches for part in split_users(batch, items, BLOCK_PAIRS // len(names))):
            new = [matrix.sorted_indices() for matrix in count(users)]
            total = [matrix + other for matrix, other in zip(total, new, strict=True)] if total else new
            if total[0].nnz * len(total) > MAX_ENTRIES:
                yield from to_rows(total, names, {"at": np.full(items, at)})
                total, at = [], at + 1
        if total:
            yield from to_rows(total, names, {"at": np.full(items, at)})

    def merge(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: pa.Table | None = None
        for batch in batches:
            table = pa.Table.from_batches([batch])
            table = pa.concat_tables([held, table]).combine_chunks() if held is not None else table
            i = table.column("i").to_numpy()
            last = int(np.searchsorted(i, i[-1])) if len(i) else 0  # the last row's others may be in the next batch
            yield from add_rows(table.slice(0, last), names, width or items)
            held = table.slice(last)
        if held is not None:
            yield from add_rows(held, names, width or items)

    columns = ", ".join(f"{name} binary" for name in ("j", *names))
    # Each partition makes a sum of its own: as few as there are cores.
    few = sequences.select("items", "since").coalesce(sequences.sparkSession.sparkContext.defaultParallelism)
    partial_sums = few.mapInArrow(partial, f"i int, at long, {columns}")
    placed = partial_sums.withColumn("from", F.spark_partition_id())
    sorted_ = placed.repartition("i").sortWithinPartitions("i", "from", "at").drop("from", "at")
    diagonals = ", ".join(f"own_{name} double" for name in names)
    return sorted_.mapInArrow(merge, f"i int, {diagonals}, {columns}").cache()


def split_users(batch: pa.RecordBatch, item_count: int, pairs: int) -> Iterator[Sequences]:
    """The users of a batch in blocks that make `pairs`, about; an unknown time is NaN."""
    lists, times = batch.column("items"), batch.column("since")
    starts = lists.offsets.to_numpy().astype(np.int64)
    begin = int(starts[0]) if len(starts) else 0
    items = lists.flatten().to_numpy()
    since = times.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    starts = starts - begin
    cost = np.cumsum(np.diff(starts) ** 2) // pairs
    cuts = [0, *(np.flatnonzero(np.diff(cost)) + 1).tolist(), len(starts) - 1]
    for low, high in pairwise(cuts):
        if high > low:
            span = slice(starts[low], starts[high])
            yield Sequences(items[span], starts[low : high + 1] - starts[low], item_count, since[span])


def to_rows(matrices: Sequence[Any], names: Sequence[str], more: dict[str, np.ndarray]) -> Iterator[pa.RecordBatch]:
    """The rows that are not empty, in batches; the columns of `more` have each row's of the (items,) values."""
    first = matrices[0]
    ends = first.indptr
    filled = np.flatnonzero(np.diff(ends)).astype(np.int32)
    cuts = np.unique(np.searchsorted(ends[filled], np.arange(0, ends[-1] + MAX_SENT_VALUES, MAX_SENT_VALUES)))
    for low, high in zip(cuts, [*cuts[1:].tolist(), len(filled)], strict=True):
        if high <= low:
            continue
        chosen = filled[low:high]
        begin, end = ends[chosen[0]], ends[chosen[-1] + 1]
        starts = np.append(ends[chosen], end) - begin
        columns = {"i": pa.array(chosen), **{name: pa.array(values[chosen]) for name, values in more.items()}}
        columns["j"] = pack_parts(first.indices[begin:end].astype(np.int32), starts)
        for name, matrix in zip(names, matrices, strict=True):
            columns[name] = pack_parts(matrix.data[begin:end].astype(np.float64), starts)
        yield pa.RecordBatch.from_pydict(columns)


def pack_parts(flat: np.ndarray, starts: np.ndarray) -> pa.Array:
    """The bytes of the parts of an array that begin and end at (parts + 1,) `starts`."""
    offsets = (starts * flat.itemsize).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(flat))]
    return pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers)


def unpack_parts(column: pa.Array | pa.ChunkedArray, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of a column of `packed` ones, and (parts + 1,) where each begins."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    if data is None or not len(column):
        return np.empty(0, dtype), np.zeros(len(column) + 1, dtype=np.int64)
    numbers = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].copy().view(dtype)
    return numbers, (ends - ends[0]) // numbers.itemsize


def add_rows(table: pa.Table, names: Sequence[str], width: int) -> Iterator[pa.RecordBatch]:
    """Rows of one `i`, which follow each other, added up."""
    from scipy import sparse

    if not table.num_rows:
        return
    i = table.column("i").to_numpy()
    j, ends = unpack_parts(table.column("j"), np.int32)
    places = np.repeat(i, np.diff(ends))
    made = []
    for name in names:
        values, _ = unpack_parts(table.column(name), np.float64)
        matrix = sparse.coo_matrix((values, (places, j)), shape=(int(i[-1]) + 1, width)).tocsr()
        matrix.sum_duplicates()
        made.append(matrix)
    own = {f"own_{name}": matrix.diagonal() for name, matrix in zip(names, made, strict=True)}
    yield from to_rows(made, names, own)


def iterate_rows(batch: pa.RecordBatch) -> Iterator[tuple[int, np.ndarray, dict[str, np.ndarray]]]:
    """Row by row: i, j and the values by name."""
    j, ends = unpack_parts(batch.column("j"), np.int32)
    names = [name for name in batch.schema.names if name not in ("i", "j") and not name.startswith("own_")]
    values = {name: unpack_parts(batch.column(name), np.float64)[0] for name in names}
    for index, i in enumerate(batch.column("i").to_pylist()):
        span = slice(ends[index], ends[index + 1])
        yield i, j[span], {name: array[span] for name, array in values.items()}


def keep_strongest(
    sums: DataFrame,
    items: int,
    power: float,
    keep: int | None,
    value: Callable[[int, np.ndarray, dict[str, np.ndarray]], np.ndarray],
) -> Links:
    """Links of the `keep` largest values above 0 of each row, of equal ones the lower j; only these leave Spark.

    `value(i, j, {name: values})` says what each entry of a row is worth.
    """
    keep = links_per_item(items) if keep is None else keep

    def choose(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            taken = [np.empty(0, np.int32)]
            weights = [np.empty(0, np.float32)]
            for i, j, values in iterate_rows(batch):
                worth = value(i, j, values).astype(np.float32)
                good = np.flatnonzero((worth > 0) & (j != i))
                if len(good) > keep:
                    good = good[strongest_mask(worth[good], j[good], keep)]
                taken.append(j[good])
                weights.append(worth[good])
            starts = np.cumsum([0, *(len(chunks) for chunks in taken[1:])])
            columns = [pack_parts(np.concatenate(chunks), starts) for chunks in (taken, weights)]
            yield pa.RecordBatch.from_arrays([batch.column("i"), *columns], ["i", "j", "value"])

    table = sums.mapInArrow(choose, "i int, j binary, value binary").toArrow()
    table = table.take(pa.array(np.argsort(table.column("i").to_numpy())))
    neighbours, ends = unpack_parts(table.column("j"), np.int32)
    lengths = np.zeros(items, dtype=np.int64)
    lengths[table.column("i").to_numpy()] = np.diff(ends)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Links(starts, neighbours, unpack_parts(table.column("value"), np.float32)[0], age_weights(power))


def read_diagonal(sums: DataFrame, items: int, name: str) -> np.ndarray:
    """(items,) float64: the diagonal of the sum of a name; 1 where a row is empty."""
    table = sums.select("i", F.col(f"own_{name}").alias("own")).toArrow()
    result = np.ones(items)
    result[table.column("i").to_numpy()] = table.column("own").to_numpy()
    return result


def collect_rows(
    sums: DataFrame, items: int, name: str, width: int | None = None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """i, j and the values of a name, row by row; at most MAX_COLLECTED_BYTES are in this process' memory at a time."""
    block = max(1, MAX_COLLECTED_BYTES // (12 * (width or items)))
    for first in range(0, items, block):
        part = sums.select("i", "j", name).where(F.col("i").between(first, first + block - 1))
        for batch in part.toArrow().to_batches():
            for i, j, values in iterate_rows(batch):
                yield i, j, values[name]
