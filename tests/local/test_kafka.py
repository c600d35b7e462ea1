import uuid

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.local import jars, kafka
from tests.local.broker import broker


def test_a_cluster_id_is_never_taken_for_an_option():
    drawn = iter([uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=b"\xf8" * 16), uuid.UUID(bytes=b"\x00" * 16)])
    assert kafka.cluster_id(lambda: next(drawn)) == "A" * 22


def test_acknowledged_records_outlive_a_kill_and_other_ports(engines, home):
    jars.ensure(["kafka"])
    (home / "logs").mkdir()
    with broker(home) as address:
        admin = KafkaAdminClient(bootstrap_servers=address)
        admin.create_topics([NewTopic(name="kept", num_partitions=1, replication_factor=1)])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=address, acks="all")
        sent = [producer.send("kept", b"%d" % number) for number in range(500)]
        offsets = [future.get(timeout=30).offset for future in sent]
        producer.close(timeout=5)
    assert offsets == list(range(500))
    with broker(home) as address:
        consumer = KafkaConsumer(
            "kept", bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=10_000
        )
        read = []
        for record in consumer:
            read.append(record.value)
            if len(read) == 500:
                break
        consumer.close()
    assert read == [b"%d" % number for number in range(500)]
