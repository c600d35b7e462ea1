"""The rights that the chart gives are enough for the work, and no more: tried on a broker that enforces them."""

import time

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from millrace.workloads import workloads
from tests.chart.secured import MILLRACE, Secured
from tests.conftest import generated

pytestmark = pytest.mark.stack
ROWS = "from millrace.lake.tables import total_rows; print(total_rows('courses'))"


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    found = Secured(tmp_path_factory.mktemp("secured"))
    try:
        found.up()
        yield found
    finally:
        found.down()


@pytest.fixture(scope="module")
def landed(secured):
    """Rows that went from a file through broker, Connect and sink into the lake, each part as its own user."""
    file = generated(workloads()["courses"], 200, 1, secured.home)
    secured.run("millrace-ingest", *MILLRACE, "ingest", "courses", str(file))
    url = f"http://127.0.0.1:{secured.connect}/connectors/lake-courses"
    httpx.put(f"{url}/config", json=secured.sink(), timeout=30).raise_for_status()
    until = time.monotonic() + 120
    while not (rows := int(secured.run("millrace-train", "-c", ROWS))):
        said = httpx.get(f"{url}/status").text
        assert "FAILED" not in said, said
        assert time.monotonic() < until, said
        time.sleep(1)
    return rows


def test_ingest_and_sink_can_do_their_work(landed):
    assert landed > 0


def test_a_message_that_the_sink_cannot_read_reaches_the_dead_letters(secured, landed):
    producer = KafkaProducer(**secured.client("millrace-ingest"))
    producer.send("courses.records", key=b"broken", value=b"{not json").get(timeout=30)
    producer.close()
    consumer = KafkaConsumer(**secured.client("millrace-ingest"), auto_offset_reset="earliest")
    consumer.assign([TopicPartition("connect.rejected", 0)])
    found = consumer.poll(timeout_ms=60_000)
    consumer.close()
    assert [message.key for batch in found.values() for message in batch] == [b"broken"]


def test_ingest_finds_its_receipt_and_rejected_rows_again(secured, landed):
    said = secured.run("millrace-ingest", *MILLRACE, "rejected", "count", "courses", "--json")
    assert "broken_number" in said or "connect_rejected" in said, said


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("millrace-api", "courses.records"),
        ("millrace-train", "courses.records"),
        ("millrace-provision", "courses.records"),
        ("millrace-connect", "courses.records"),
        ("millrace-ingest", "lake.control"),
        ("millrace-ingest", "connect.configs"),
    ],
)
def test_nobody_writes_what_is_not_theirs(secured, landed, user, topic):
    producer = KafkaProducer(**secured.client(user), max_block_ms=5000)
    with pytest.raises(KafkaError, match="uthoriz"):
        producer.send(topic, b"x").get(timeout=10)
    producer.close()


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("millrace-ingest", "courses.records"),
        ("millrace-api", "courses.records"),
        ("millrace-provision", "courses.records"),
    ],
)
def test_nobody_reads_what_is_not_theirs(secured, landed, user, topic):
    consumer = KafkaConsumer(**secured.client(user), auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    with pytest.raises(KafkaError, match="uthoriz"):
        consumer.poll(timeout_ms=20_000)
    consumer.close()
