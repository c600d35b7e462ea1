"""A sink that fails at a record of `rentals`, and Kafka beside it; the table is a real one."""

import orjson

from millrace.lake import tables
from millrace.messaging.reader import TopicPartition
from millrace.workloads import find_workload
from tests.messaging.fake_consumer import Messages

RENTALS = find_workload("rentals")
TOPIC = RENTALS.records_topic
PARTITION, POISONED = 1, 30
CONVERSION = "Caused by: org.apache.kafka.connect.errors.DataException: An error occurred converting record, "


def record(number: int, listed_at: str = "2026-01-10T08:00:00.25Z") -> bytes:
    return orjson.dumps(
        {"flat_id": f"F{number}", "rooms": 2, "rent": 700, "listed_at": listed_at, "rating": None, "record_id": "r"}
    )


def trace(offset: int, cause: str = "java.time.format.DateTimeParseException: Text '2026-13-45'") -> str:
    position = f"topic: {TOPIC}, partition, {PARTITION}, offset: {offset}"
    return f"a.ConnectException: outer\n\tat x\n{CONVERSION}{position}\n\tat y\nCaused by: {cause}\n"


class Producer:
    """Writes to the stand-in of Kafka; what is sent is there after a flush."""

    def __init__(self, messages: Messages):
        self.messages, self.waiting = messages, []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: tuple = ()) -> None:
        self.waiting.append((topic, (key, value, tuple(headers))))

    def flush(self) -> None:
        for topic, item in self.waiting:
            self.messages[TopicPartition(topic, 0)].append(item)
        self.waiting.clear()

    def close(self) -> None:
        self.waiting.clear()


def landed_offsets() -> list[int]:
    rows = tables.load_table("rentals").scan().to_arrow()
    assert set(rows.column("kafka_partition").to_pylist()) <= {PARTITION}
    return sorted(rows.column("kafka_offset").to_pylist())
