import uuid

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from millrace.errors import UnavailableError
from millrace.local import jars, kafka
from millrace.messaging.reader import end_offsets
from tests.local.broker import broker
from tests.registry.servers import settings_of


def test_cluster_id_is_never_mistaken_for_option():
    drawn = iter([uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=b"\xf8" * 16), uuid.UUID(bytes=b"\x00" * 16)])
    assert kafka.make_cluster_id(lambda: next(drawn)) == "A" * 22


def test_acknowledged_records_survive_kill_and_port_change(engines, home):
    jars.ensure_jars(["kafka"])
    (home / "logs").mkdir()
    with broker(home) as own:
        admin = KafkaAdminClient(**own.login)
        admin.create_topics([NewTopic(name="kept", num_partitions=1, replication_factor=1)])
        admin.close()
        producer = KafkaProducer(**own.login, acks="all")
        sent = [producer.send("kept", b"%d" % number) for number in range(500)]
        offsets = [future.get(timeout=30).offset for future in sent]
        producer.close(timeout=5)
    assert offsets == list(range(500))
    with broker(home) as own:
        consumer = KafkaConsumer("kept", **own.login, auto_offset_reset="earliest", consumer_timeout_ms=10_000)
        read = []
        for record in consumer:
            read.append(record.value)
            if len(read) == 500:
                break
        consumer.close()
    assert read == [b"%d" % number for number in range(500)]


def test_broker_of_another_home_denies_access_and_is_reported(engines, home):
    """What has the usual port may be another project's broker: it is read neither by a user's name nor without one."""
    jars.ensure_jars(["kafka"])
    (home / "logs").mkdir()
    with broker(home) as other:
        for login in ({"MILLRACE_KAFKA_PASSWORD": "this home's"}, {"MILLRACE_KAFKA_USERNAME": "somebody"}):
            variables = {**other.settings, **login, "MILLRACE_KAFKA_TIMEOUT": "3"}
            with settings_of(variables), pytest.raises(UnavailableError, match="does not know this login") as raised:
                end_offsets("kept")
            assert raised.value.code == "kafka_refused"
        without = {"MILLRACE_KAFKA_BOOTSTRAP": other.address, "MILLRACE_KAFKA_TIMEOUT": "3"}
        with settings_of(without), pytest.raises(UnavailableError):
            end_offsets("kept")
