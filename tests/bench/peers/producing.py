"""Producing the records of a file without Millrace's ingest: `python -m tests.bench.peers.producing KIND BROKER FILE`.

KIND is `waiting`: kafka-python, the acknowledgement of each record awaited before the next is sent, as most examples
do it; or `unchecked`: confluent-kafka, records that are ready beforehand, the most that a process could do. Prints
{"rows", "seconds"}.
"""

import json
import sys
import time

from millrace.ingest.check import RecordChecker
from millrace.messaging import security
from millrace.messaging.client import common_options
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.readers import open_source, read_rows
from millrace.workloads import find_workload

TOPIC = "courses.records"
WAITED = 2000  # rows with a wait for each: enough to see the rate


def ready(file: str, limit: int | None) -> list[AcceptedRecord]:
    with open_source(file) as source:
        checked = RecordChecker(find_workload("courses")).check(read_rows(source, ()))
        results = []
        for outcome in checked:
            if isinstance(outcome, AcceptedRecord):
                results.append(outcome)
            if len(results) == limit:
                break
        return results


def waiting(broker: str, records: list[AcceptedRecord]) -> None:
    from kafka import KafkaProducer

    client = KafkaProducer(**(common_options() | {"bootstrap_servers": broker, "acks": "all"}))
    for record in records:
        client.send(TOPIC, key=record.key, value=record.value).get(30)
    client.close()


def unchecked(broker: str, records: list[AcceptedRecord]) -> None:
    from confluent_kafka import Producer

    acknowledged = 0

    def delivered(error: object, message: object) -> None:
        nonlocal acknowledged
        assert error is None, error
        acknowledged += 1

    options = security.librdkafka_options() | {
        "bootstrap.servers": broker,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 20,
    }
    client = Producer(options | {"batch.size": 524_288, "queue.buffering.max.messages": 100_000})
    for number, record in enumerate(records):
        while True:
            try:
                client.produce(TOPIC, record.value, record.key, on_delivery=delivered)
                break
            except BufferError:
                client.poll(0.1)
        if number % 1000 == 0:
            client.poll(0)
    client.flush(60)
    assert acknowledged == len(records), f"{acknowledged} of {len(records)} acknowledged"


if __name__ == "__main__":
    kind, broker, file = sys.argv[1:]
    records = ready(file, WAITED if kind == "waiting" else None)
    started = time.monotonic()
    {"waiting": waiting, "unchecked": unchecked}[kind](broker, records)
    print(json.dumps({"rows": len(records), "seconds": time.monotonic() - started}))
