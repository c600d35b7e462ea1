"""Scoring in Spark's Python workers: Kafka records in, pages with their clusters out, and what a batch sums up to."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa

from millrace.pages.hosts import find_url_domain
from millrace.pages.model import PageClusters
from millrace.pages.words import page_words
from millrace.stream.record_index import ARRIVAL, Repeats, hash_record_ids
from millrace.stream.summary import BatchSummary
from millrace.workloads.base import PageModel

PAGE = {
    "kafka_partition": pa.int32(),
    "kafka_offset": pa.int64(),
    "kafka_timestamp": pa.timestamp("us", "UTC"),
    "record_id": pa.string(),
    "url": pa.string(),
    "title": pa.string(),
    "host": pa.string(),
    "cluster": pa.int32(),
    "distance": pa.float64(),
    "version": pa.string(),
    "kafka_generation": pa.int32(),
}
"""A row of the table of pages; a table has no `kafka_generation` before its topic was recreated."""
PAGE_SCHEMA = (
    "kafka_partition int, kafka_offset long, kafka_timestamp timestamp, record_id string, url string, title string, "
    "host string, cluster int, distance double, version string, kafka_generation int"
)
SCORED_SCHEMA = f"{PAGE_SCHEMA}, summary binary, arrivals binary"
MESSAGE_SCHEMA = "topic string, key binary, value binary"
HASHES_SCHEMA = "hashes binary"
NO_REPEATS: Repeats = MappingProxyType({})


class BroadcastArrays(Protocol):
    """A model's arrays as a worker of Spark gets them: a pyspark.Broadcast."""

    @property
    def value(self) -> dict[str, np.ndarray]: ...


_loaded: dict[str, PageClusters] = {}


def load_pages(version: str, arrays: BroadcastArrays) -> PageClusters:
    """The model of that version, made once in each worker; the one before it is dropped."""
    if version not in _loaded:
        _loaded.clear()
        _loaded[version] = PageClusters.load(arrays.value)
    return _loaded[version]


def score_pages(
    batches: Iterable[pa.RecordBatch],
    arrays: BroadcastArrays,
    version: str,
    declared: PageModel,
    repeats: Repeats = NO_REPEATS,
    generation: int = 0,
) -> Iterator[pa.RecordBatch]:
    """`partition, offset, timestamp, value` of records to rows of SCORED_SCHEMA; `repeats` are left out.

    `arrays` is a broadcast of the model's, `generation` that of the topic (see millrace.messaging.generations). A
    task's last row holds no page but the `summary` of its pages and its `arrivals` (ARRIVAL, of records that have an
    id), so that one pass over the records gives all of it.
    """
    model, summary, arrivals = load_pages(version, arrays), BatchSummary(declared.window), []
    for batch in batches:
        fresh = _leave_out(batch, repeats)
        kept, rows = _parse_records(fresh, declared)
        summary.add_offsets(batch.column("partition"), batch.column("offset"))
        summary.repeated += batch.num_rows - fresh.num_rows
        summary.unreadable += fresh.num_rows - len(rows)
        if not rows:
            continue
        record_ids = [str(row.get("record_id") or "") for row in rows]
        arrivals.append(_make_arrivals(kept, record_ids))
        columns = {
            "url": [row[declared.url] for row in rows],
            "title": [row.get(declared.title) for row in rows],
            "keywords": [row.get(declared.keywords) for row in rows],
        }
        features = model.features(columns)
        clusters, distances = model.nearest(features)
        hosts = [find_url_domain(url) for url in columns["url"]]
        spoken = map(page_words, columns["title"], columns["keywords"], columns["url"])
        summary.add(kept.column("timestamp"), clusters, distances, hosts, spoken, columns["url"], columns["title"])
        summary.add_features(clusters, features, model.k)
        yield _make_batch(
            kept.column("partition"),
            kept.column("offset"),
            kept.column("timestamp"),
            record_ids,
            columns["url"],
            columns["title"],
            hosts,
            clusters.astype(np.int32),
            distances,
            [version] * len(rows),
            [generation] * len(rows),
            [None] * len(rows),
            [None] * len(rows),
        )
    yield _make_batch(*[[None]] * len(PAGE), [summary.as_json()], [b"".join(arrivals)])


def _leave_out(batch: pa.RecordBatch, repeats: Repeats) -> pa.RecordBatch:
    """The records of a batch that are not among the repeats."""
    if not repeats:
        return batch
    partitions, offsets = batch.column("partition").to_numpy(), batch.column("offset").to_numpy()
    keep = np.ones(batch.num_rows, bool)
    for partition, repeated in repeats.items():
        keep &= (partitions != partition) | ~np.isin(offsets, repeated)
    return batch.filter(pa.array(keep))


def _make_arrivals(batch: pa.RecordBatch, record_ids: list[str]) -> bytes:
    """The records as ARRIVAL, but those without an id: nothing tells whether they came before."""
    arrivals = np.empty(batch.num_rows, ARRIVAL)
    arrivals["partition"], arrivals["offset"] = batch.column("partition").to_numpy(), batch.column("offset").to_numpy()
    arrivals["hash"] = hash_record_ids(record_ids)
    return arrivals[[bool(record_id) for record_id in record_ids]].tobytes()


def hash_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """`record_id` of rows of the table of pages to HASHES_SCHEMA: the uint64 hashes of a batch as one value."""
    for batch in batches:
        record_ids = [record_id for record_id in batch.column("record_id").to_pylist() if record_id]
        yield pa.RecordBatch.from_arrays([pa.array([hash_record_ids(record_ids).tobytes()], pa.binary())], ["hashes"])


def _parse_records(batch: pa.RecordBatch, declared: PageModel) -> tuple[pa.RecordBatch, list[dict[str, Any]]]:
    """The records of a batch that can be read, and what they say."""
    keep, rows = [], []
    for value in batch.column("value").to_pylist():
        try:
            row = orjson.loads(value) if value else None
        except orjson.JSONDecodeError:
            row = None
        fine = (
            isinstance(row, dict)
            and isinstance(row.get(declared.url), str)
            and all(isinstance(row.get(name), str | None) for name in (declared.title, declared.keywords))
        )
        keep.append(fine)
        if fine:
            rows.append(row)
    return (batch if all(keep) else batch.filter(pa.array(keep))), rows


def _make_batch(*columns: Any) -> pa.RecordBatch:
    types = {**PAGE, "summary": pa.binary(), "arrivals": pa.binary()}
    made = [
        column.cast(kind) if isinstance(column, pa.Array) else pa.array(column, kind)
        for column, kind in zip(columns, types.values(), strict=True)
    ]
    return pa.RecordBatch.from_arrays(made, list(types))


def make_messages(
    batches: Iterable[pa.RecordBatch], workload: str, labels: dict[str, list[str]], held: frozenset[bytes]
) -> Iterator[pa.RecordBatch]:
    """Rows of the table of pages to messages of the cluster topics; those whose key is `held` are left out.

    `labels` are the names of the clusters by version.
    """
    for batch in batches:
        topics, keys, values = [], [], []
        for row in batch.to_pylist():
            key = make_key(row["kafka_partition"], row["kafka_offset"], row["kafka_generation"])
            if key in held:
                continue
            topics.append(f"{workload}.cluster.{row['cluster']}")
            keys.append(key)
            values.append(orjson.dumps(make_message(row, labels.get(row["version"], []))))
        arrays = [pa.array(topics, pa.string()), pa.array(keys, pa.binary()), pa.array(values, pa.binary())]
        yield pa.RecordBatch.from_arrays(arrays, ["topic", "key", "value"])


def make_key(partition: int, offset: int, generation: int) -> bytes:
    """The key of a page in the topic of its cluster, which no page of another generation has."""
    return b"%d:%d:%d" % (partition, offset, generation) if generation else b"%d:%d" % (partition, offset)


def parse_key(key: bytes) -> tuple[int, int, int] | None:
    """Partition, offset and generation; None where it is the key of no page."""
    numbers = key.split(b":")
    if len(numbers) not in {2, 3} or not all(number.isdigit() for number in numbers):
        return None
    partition, offset, generation = map(int, (*numbers, b"0")[:3])
    return partition, offset, generation


def make_message(row: dict[str, Any], labels: list[str]) -> dict[str, Any]:
    """What the topic of a cluster says of a page."""
    cluster, at = row["cluster"], row["kafka_timestamp"]
    return {
        "partition": row["kafka_partition"],
        "offset": row["kafka_offset"],
        "generation": row["kafka_generation"],
        "timestamp": to_iso(at),
        "url": row["url"],
        "title": row["title"],
        "host": row["host"],
        "cluster": cluster,
        "label": labels[cluster] if cluster < len(labels) else str(cluster),
        "distance": row["distance"],
        "version": row["version"],
        "record_id": row["record_id"],
    }


def to_iso(at: datetime) -> str:
    """A time as ISO 8601 with milliseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
