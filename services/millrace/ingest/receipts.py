"""Receipts: which sources Kafka already holds, kept in Kafka itself, so that they vanish with the records.

A receipt is written after the last record was acknowledged. The same file ingested again is recognised by its
content and publishes nothing; an interrupted ingest has no receipt and is simply run again. What can be read only
once (a pipe, a socket) has none either: to know its content is to have read it.
"""

from typing import Any

import orjson

from millrace.messaging.producer import Producer
from millrace.messaging.reader import read_all
from millrace.messaging.topics import RECEIPTS
from millrace.records.contract import compute_schema_hash
from millrace.workloads.base import Workload


def make_fingerprint(workload: Workload, digest: str, limit: int | None) -> bytes:
    """What makes two ingests the same: workload, contract, limit and the digest of the file's bytes."""
    return f"{workload.name}:{compute_schema_hash(workload.record)}:{limit or 'all'}:{digest}".encode()


def find_receipt(key: bytes) -> dict[str, Any] | None:
    """The receipt of that source, if it was ingested to its end."""
    receipt = None
    for message in read_all(RECEIPTS):
        if message.key == key:
            receipt = orjson.loads(message.value) if message.value else None
    return receipt


def write_receipt(producer: Producer, key: bytes, receipt: dict[str, Any]) -> None:
    """Write the receipt of a source; it is acknowledged on return."""
    producer.send(RECEIPTS, key, orjson.dumps(receipt))
    producer.flush()
