"""A real broker behind a proxy: its clients are led to the proxy, and cut off by it."""

import os
import time

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from millrace.local import jars, java, kafka
from millrace.local.child import last_words, start_child
from millrace.local.credentials import STACK_USER
from millrace.prove.faults.proxy import Mode, Proxy
from millrace.runtime.ports import find_free_port
from millrace.settings import settings

PASSWORD = "of this test"


@pytest.fixture
def proxy(engines, tmp_path, monkeypatch):
    monkeypatch.setenv("MILLRACE_HOME", str(tmp_path))
    settings.cache_clear()
    jars.ensure_jars(["kafka"])
    log = tmp_path / "logs/kafka.log"
    log.parent.mkdir()
    behind = find_free_port()
    made = Proxy(find_free_port(), lambda: behind)
    front = kafka.Front(behind, made.port)
    child = kafka.make_kafka(tmp_path, java.find_java(), find_free_port(), find_free_port(), PASSWORD, front)
    process = start_child(child, log, os.environ)
    made.start()
    try:
        deadline = time.monotonic() + 90
        while not child.ready():
            assert process.poll() is None, last_words(log)
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield made
    finally:
        process.kill()
        process.wait()
        made.stop()
        settings.cache_clear()


def test_clients_speak_to_a_fronted_broker_through_its_proxy_alone(proxy):
    login = {
        "bootstrap_servers": f"127.0.0.1:{proxy.port}",
        "security_protocol": kafka.PROTOCOL,
        "sasl_mechanism": kafka.MECHANISM,
        "sasl_plain_username": STACK_USER,
        "sasl_plain_password": PASSWORD,
    }
    admin = KafkaAdminClient(**login)
    admin.create_topics([NewTopic(name="kept", num_partitions=1, replication_factor=1)])
    assert [broker["port"] for broker in admin.describe_cluster()["brokers"]] == [proxy.port]
    admin.close()
    producer = KafkaProducer(**login, acks="all", delivery_timeout_ms=3000, request_timeout_ms=1000, max_block_ms=3000)
    assert producer.send("kept", b"before").get(timeout=30).offset == 0
    proxy.set_mode(Mode.REFUSE)
    with pytest.raises(KafkaError):
        producer.send("kept", b"meanwhile").get(timeout=30)
    proxy.set_mode(Mode.PASS)
    assert producer.send("kept", b"afterwards").get(timeout=30).offset >= 1
    producer.close(timeout=5)
