"""What a batch asks of a DataFrame of Spark, in this process."""

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

Rows = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Row(dict):
    """A row whose fields are attributes."""

    __getattr__ = dict.__getitem__


class Frame:
    """Record batches, each of which is a task of its own."""

    def __init__(self, *batches: pa.RecordBatch):
        self.batches = batches

    def mapInArrow(self, rows: Rows, schema: str) -> "Frame":
        results = [pa.Table.from_batches(rows(iter([batch]))) for batch in self.batches]
        assert all(result.column_names == [name.split()[0] for name in schema.split(", ")] for result in results)
        return Frame(*(result.combine_chunks().to_batches()[0] for result in results))

    def where(self, condition: str) -> "Frame":
        name, _, rule = condition.partition(" IS ")
        keep = {"NULL": pc.is_null, "NOT NULL": pc.is_valid}[rule]
        return Frame(*(batch.filter(keep(batch.column(name))) for batch in self.batches))

    def select(self, *names: str) -> "Frame":
        return Frame(*(batch.select(list(names)) for batch in self.batches))

    def collect(self) -> list[Row]:
        return [Row(row) for batch in self.batches for row in batch.to_pylist()]

    def persist(self) -> "Frame":
        return self

    def unpersist(self) -> "Frame":
        return self

    def coalesce(self, count: int) -> "Frame":
        assert count >= 1
        return self
