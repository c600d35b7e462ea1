"""The rights that the chart gives are enough for the work, and no more: tried on a broker that enforces them."""

import time

import httpx
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from millrace.local import jars
from millrace.workloads import load_workloads
from tests.chart.secured import MILLRACE, Secured
from tests.conftest import generated

# What the API does with Kafka: it sends events, and follows all deltas from their beginning.
API = """
import asyncio, time
from millrace.serving.delta_follower import DeltaFollower
from millrace.messaging.outbox import Outbox
live, outbox = DeltaFollower(), Outbox()
live.start()
print(asyncio.run(outbox.send("mooc.records", [(b"U_1", b'{"user_id": "U_1", "course_id": "C_1"}')])))
until = time.monotonic() + 30
while not (live.ready and live.fault is None and live._looked):
    assert time.monotonic() < until, live.fault
    time.sleep(0.1)
assert live.fault is None, live.fault
live.stop()
outbox.stop()
"""
# What the updater does: it reads events, publishes, finds that again and takes it back.
UPDATER = """
from millrace.messaging.fence import read_current
from millrace.messaging.fenced_writer import FencedWriter, TopicLog
from millrace.messaging.reader import read_all
from millrace.online import deltas
from millrace.online.log_lease import Tenure
from millrace.online.updater import delete_versions
from millrace.local import jars
from millrace.workloads import find_workload
of = find_workload("mooc")
(model,) = of.recommenders
writer = FencedWriter(TopicLog(of.deltas_topic), model.name)
writer.catch_up()
claim = writer.take_over()
prefix = deltas.version_prefix(model.name, "v1")
key, value = deltas.watermark_message(prefix, offsets={"0": 7}, format=deltas.DELTA_FORMAT)
writer.send([(key.encode(), value)])
writer.send_heartbeat()
assert [message.value for message in read_current(of.deltas_topic, model.name)] == [value]
delete_versions(of, model, Tenure(claim), set())
assert [message.value for message in read_current(of.deltas_topic, model.name)] == [value, None]
writer.catch_up()
assert writer.claim is claim and not writer.take_overwritten()
writer.close()
print(len(list(read_all(of.records_topic))))
"""
# What the stream does: Spark's source and sink, its own look into the topics of the clusters, and its deltas.
STREAM = """
import tempfile
from millrace.messaging.reader import end_offsets, read_all
from millrace.stream import source
from millrace.stream.delta_publisher import DeltaPublisher
from millrace.spark.session import start_session
from millrace.local import jars
from millrace.workloads import find_workload
of, rows = find_workload("urls"), []
def batch(frame, number):
    rows.extend(frame.collect())
    source.write_messages(frame.selectExpr("'urls.cluster.3' AS topic", "CAST('0:0' AS BINARY) AS key", "value"))
query = (
    source.read_records(start_session("rights"), of, dict.fromkeys(end_offsets(of.records_topic), 0)).writeStream
    .option("checkpointLocation", tempfile.mkdtemp()).trigger(availableNow=True).foreachBatch(batch).start()
)
query.awaitTermination()
deltas = DeltaPublisher(of)
deltas.publish({"stream": {"rows": len(rows)}})
deltas.close()
print(len(rows), len(list(read_all("urls.cluster.3"))))
"""
ROWS = "from millrace.lake.tables import count_rows; print(count_rows('courses'))"


@pytest.fixture(scope="module")
def secured(engines, tmp_path_factory):
    jars.ensure_jars(["kafka", "connect-iceberg", "s3proxy", "spark"])
    result = Secured(tmp_path_factory.mktemp("secured"))
    try:
        result.up()
        yield result
    finally:
        result.down()


@pytest.fixture(scope="module")
def landed(secured):
    """Rows that went from a file through broker, Connect and sink into the lake, each part as its own user."""
    file = generated(load_workloads()["courses"], 200, 1, secured.home)
    secured.run("millrace-ingest", *MILLRACE, "ingest", "courses", str(file))
    url = f"http://127.0.0.1:{secured.connect}/connectors/lake-courses"
    httpx.put(f"{url}/config", json=secured.sink(), timeout=30).raise_for_status()
    until = time.monotonic() + 120
    while not (rows := int(secured.run("millrace-train", "-c", ROWS))):
        output = httpx.get(f"{url}/status").text
        assert "FAILED" not in output, output
        assert time.monotonic() < until, output
        time.sleep(1)
    return rows


def test_ingest_and_sink_have_sufficient_permissions(landed):
    assert landed > 0


def test_message_unreadable_by_sink_reaches_dead_letters(secured, landed):
    producer = KafkaProducer(**secured.client("millrace-ingest"))
    producer.send("courses.records", key=b"broken", value=b"{not json").get(timeout=30)
    producer.close()
    consumer = KafkaConsumer(**secured.client("millrace-ingest"), auto_offset_reset="earliest")
    consumer.assign([TopicPartition("connect.rejected", 0)])
    polled = consumer.poll(timeout_ms=60_000)
    consumer.close()
    assert [message.key for batch in polled.values() for message in batch] == [b"broken"]


def test_provision_lets_coordinators_begin(secured, landed):
    """Those of sinks that do not run here; the running one has its own offsets."""
    output = secured.run("millrace-provision", *MILLRACE, "provision", "--only", "coordinators", "--json")
    assert "connect-lake-mooc-coord" in output
    assert "connect-lake-courses-coord" not in output


def test_ingest_can_read_back_its_receipt_and_rejected_rows(secured, landed):
    output = secured.run("millrace-ingest", *MILLRACE, "rejected", "count", "courses", "--json")
    assert "broken_number" in output or "connect_rejected" in output, output


def test_api_sends_events_and_follows_resulting_deltas(secured):
    assert "(" in secured.run("millrace-api", "-c", API)


def test_updater_reads_events_and_maintains_its_deltas(secured):
    assert int(secured.run("millrace-online", "-c", UPDATER)) >= 0


def test_stream_reads_pages_with_spark_and_writes_them_to_their_clusters(secured):
    producer = KafkaProducer(**secured.client("millrace-ingest"))
    for number in range(3):
        producer.send("urls.records", key=b"%d" % number, value=b"{}").get(timeout=30)
    producer.close()
    assert secured.run("millrace-stream", "-c", STREAM).split()[-2:] == ["3", "3"]


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("millrace-api", "courses.records"),
        ("millrace-api", "urls.records"),
        ("millrace-api", "mooc.deltas"),
        ("millrace-online", "mooc.records"),
        ("millrace-online", "urls.deltas"),
        ("millrace-stream", "urls.records"),
        ("millrace-stream", "mooc.deltas"),
        ("millrace-ingest", "urls.cluster.0"),
        ("millrace-train", "courses.records"),
        ("millrace-provision", "courses.records"),
        ("millrace-connect", "courses.records"),
        ("millrace-ingest", "lake.control"),
        ("millrace-ingest", "connect.configs"),
    ],
)
def test_unauthorized_write_is_rejected(secured, landed, user, topic):
    producer = KafkaProducer(**secured.client(user), max_block_ms=5000)
    with pytest.raises(KafkaError, match="uthoriz"):
        producer.send(topic, b"x").get(timeout=10)
    producer.close()


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("millrace-ingest", "courses.records"),
        ("millrace-api", "courses.records"),
        ("millrace-api", "mooc.records"),
        ("millrace-provision", "courses.records"),
    ],
)
def test_unauthorized_read_is_rejected(secured, landed, user, topic):
    consumer = KafkaConsumer(**secured.client(user), auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, 0)])
    with pytest.raises(KafkaError, match="uthoriz"):
        consumer.poll(timeout_ms=20_000)
    consumer.close()


@pytest.mark.parametrize(
    ("user", "seen"),
    [
        ("millrace-api", {"courses.records", "mooc.records", "urls.records", "mooc.deltas", "urls.deltas"}),
        ("millrace-online", {"mooc.records", "mooc.deltas"}),
        ("millrace-stream", {"urls.records", "urls.deltas", *(f"urls.cluster.{number}" for number in range(10))}),
    ],
)
def test_streaming_component_sees_no_unrelated_topics(secured, user, seen):
    consumer = KafkaConsumer(**secured.client(user))
    try:
        assert consumer.topics() == seen
    finally:
        consumer.close()
