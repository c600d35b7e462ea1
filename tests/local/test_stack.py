import fcntl
import os
import signal
import socket
import stat
import time

import psutil
import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from millrace.errors import ConflictError, UnavailableError
from millrace.lake import sink
from millrace.local import kafka, ports, s3, state
from millrace.local import stack as local
from millrace.runtime import http
from millrace.settings import settings


def test_second_up_changes_nothing(stack):
    before = [(child["name"], child["pid"], child["port"]) for child in local.stack_status()["children"]]
    assert not local.start_stack()
    after = local.stack_status()
    assert [(child["name"], child["pid"], child["port"]) for child in after["children"]] == before
    assert [name for name, _, _ in before] == ["kafka", "s3", "connect", "api", "online"]
    assert after["phase"] == "running"


def test_secrets_are_owner_only_and_on_no_command_line(stack):
    assert stat.S_IMODE(stack.stat().st_mode) == 0o700
    closed = ["endpoints.json", "state.json", "credentials.json", "kafka.properties", "connect.properties"]
    for name in [*closed, "connect-users.properties", "s3proxy.properties"]:
        assert stat.S_IMODE((stack / name).stat().st_mode) == 0o600, name
    current = settings()
    secrets = [key.get_secret_value() for key in (current.s3_secret_key, current.kafka_password) if key]
    secrets.append(current.connect_password.get_secret_value())
    assert len(set(secrets)) == 3
    assert min(map(len, secrets)) >= 32
    process = local.state.find_supervisor()
    lines = [command_line(one) for one in process.children(recursive=True)]
    assert len(list(filter(None, lines))) >= 4  # kafka, s3, connect, api
    assert not [line for line in lines for secret in secrets if secret in line]


def command_line(process: psutil.Process) -> str:
    """Empty for one that has ended: another test may have killed it a moment ago."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def test_connect_has_iceberg_sink_as_only_plugin(stack):
    plugins = sink._call("GET", "/connector-plugins").json()
    assert [plugin["class"] for plugin in plugins] == ["org.apache.iceberg.connect.IcebergSinkConnector"]


def test_client_without_login_of_this_home_is_denied_everywhere(stack):
    """Another user of the machine, who reaches every port: no topic, no connector, no object."""
    current = settings()
    port = int(current.kafka_bootstrap.rpartition(":")[2])
    assert kafka.is_own_broker(port, current.kafka_password.get_secret_value())
    assert not kafka.is_own_broker(port, "guessed")
    with pytest.raises(KafkaError):
        KafkaAdminClient(bootstrap_servers=current.kafka_bootstrap, bootstrap_timeout_ms=2000)
    for login in (None, ("millrace", "guessed")):
        for method, path in (("GET", "/connectors"), ("PUT", "/connectors/lake-courses/pause")):
            assert http.request(method, f"{current.connect_url}{path}", auth=login).status_code == 401
    assert http.get(f"{current.s3_endpoint}/{current.models_bucket}").status_code == 403


def test_kafka_logs_that_it_started(stack):
    assert "Kafka Server started" in (stack / "logs/kafka.log").read_text()


def test_killed_s3_server_restarts_with_its_objects(stack):
    from millrace.registry.store import ObjectStore

    store = ObjectStore(settings().models_bucket)
    store.put("tests/kept", b"before")
    before = child_of("s3")
    os.kill(before["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (after := child_of("s3"))["pid"] == before["pid"] or after["state"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert after["restarts"] == before["restarts"] + 1
    assert store.get("tests/kept")[0] == b"before"


def child_of(name: str) -> dict:
    return next(child for child in local.stack_status()["children"] if child["name"] == name)


def test_insufficient_disk_space_is_reported_with_both_sizes(home, monkeypatch):
    monkeypatch.setenv("MILLRACE_LOCAL_DISK", str(10**17))
    settings.cache_clear()
    with pytest.raises(UnavailableError, match=r"has .* GB free and the stack wants 100000000.0 GB") as raised:
        local.start_stack()
    assert raised.value.code == "no_disk"


def test_concurrent_up_is_rejected(home):
    with (home / "up.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match=r"Another `millrace up`"):
            local.start_stack()


def test_up_with_occupied_port_starts_nothing(engines, home, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("MILLRACE_API_PORT", str(port))
        settings.cache_clear()
        with pytest.raises(UnavailableError, match=rf"Port {port} \(MILLRACE_API_PORT\) is in use"):
            local.start_stack()
    assert state.find_supervisor() is None
    assert not state.find_orphans()
    assert local.stack_status()["phase"] == "stopped"


def test_missing_minio_is_reported_with_its_setting(home, monkeypatch):
    monkeypatch.setenv("MILLRACE_MINIO", str(home / "minio"))
    settings.cache_clear()
    with pytest.raises(UnavailableError, match=r"MILLRACE_MINIO=.*is not a program"):
        s3.make_s3(home, home, ports.find_free_port(), "key", "secret")
