"""What must hold of the stream whenever it has caught up, whatever had happened on its way."""

from collections import Counter
from functools import lru_cache

import numpy as np
import orjson
import pyarrow as pa

from millrace.lake import pages_table_name
from millrace.lake.catalog import load_catalog
from millrace.messaging.reader import Message, read_all
from millrace.pages.model import PageClusters
from millrace.registry.registry import Registry
from tests.stream.made import columns, declared


def first_copies() -> dict[str, Message]:
    """Key -> record, of each record id that Kafka holds the copy that came first; all copies are in one partition."""
    messages = sorted(read_all("urls.records"), key=lambda message: (message.partition, message.offset))
    copies = {orjson.loads(message.value)["record_id"]: message for message in reversed(messages)}
    return {f"{message.partition}:{message.offset}": message for message in copies.values()}


def published() -> int:
    """How many pages there are, each once."""
    return len(first_copies())


@lru_cache
def version(name: str) -> tuple[list[str], PageClusters]:
    manifest, arrays = Registry().load("urls", "pages", name)
    return manifest.names["label"], PageClusters.load(arrays)


def table() -> pa.Table:
    return load_catalog().load_table(pages_table_name("urls")).scan().to_arrow()


def everything_once() -> pa.Table:
    """The table of pages, after it was compared with the records, the models and the topics of the clusters."""
    result, _ = declared()
    records = {key: orjson.loads(message.value) for key, message in first_copies().items()}
    rows = table()
    pages = {f"{row['kafka_partition']}:{row['kafka_offset']}": row for row in rows.to_pylist()}
    assert len(pages) == rows.num_rows, "pages are in the table twice"
    assert len(set(rows.column("record_id").to_pylist())) == rows.num_rows, "repeated pages are in the table"
    assert pages.keys() == records.keys()
    seen = Counter()
    for number, topic in enumerate(result.cluster_topics):
        for message in read_all(topic):
            key, report = message.key.decode(), orjson.loads(message.value)
            row = pages[key]
            seen[key] += 1
            assert report["cluster"] == row["cluster"] == number
            assert report["label"] == version(row["version"])[0][number]
            same = ("url", "title", "host", "distance", "version", "record_id")
            assert {name: report[name] for name in same} == {name: row[name] for name in same}
    assert set(seen.values()) == {1}, "pages are in the topics twice"
    assert seen.keys() == records.keys()
    for name in set(rows.column("version").to_pylist()):
        own = [key for key, row in pages.items() if row["version"] == name]
        clusters, distances = version(name)[1].assign(columns([records[key] for key in own]))
        assert [pages[key]["cluster"] for key in own] == clusters.tolist()
        np.testing.assert_allclose([pages[key]["distance"] for key in own], distances, rtol=1e-5)
        assert all(pages[key]["record_id"] == records[key]["record_id"] for key in own)
    return rows
