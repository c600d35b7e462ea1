import socket
import subprocess
import sys

import pytest

from millrace.errors import BadInputError, UnavailableError
from millrace.local import ports


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def nothing_insisted(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for variable in ports.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


def test_occupied_port_is_replaced_by_free_one_and_reported(listener):
    port, output = ports.choose_port("s3", before=listener)
    assert port != listener
    assert ports.is_free(port)
    assert output == f"Port {listener} is in use, so s3 listens on {port}."


def test_port_of_last_run_is_kept_while_free():
    before = ports.find_free_port()
    assert ports.choose_port("connect", before) == (before, None)


def test_two_children_never_get_the_same_port():
    before = ports.find_free_port()
    assert ports.choose_port("connect", before, taken=[before])[0] != before


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("api", "MILLRACE_API_PORT", "{}"),
        ("s3", "MILLRACE_S3_ENDPOINT", "http://127.0.0.1:{}"),
        ("kafka", "MILLRACE_KAFKA_BOOTSTRAP", "localhost:{}"),
    ],
)
def test_user_configured_port_is_used_or_rejected_by_name(monkeypatch, listener, name, variable, value):
    free = ports.find_free_port()
    monkeypatch.setenv(variable, value.format(free))
    assert ports.choose_port(name) == (free, None)
    monkeypatch.setenv(variable, value.format(listener))
    with pytest.raises(UnavailableError, match=rf"Port {listener} \({variable}\) is in use"):
        ports.choose_port(name)


def test_port_in_env_file_counts_as_user_configured(tmp_path):
    free = ports.find_free_port()
    (tmp_path / ".env").write_text(f"MILLRACE_API_PORT={free}\n")
    assert ports.choose_port("api") == (free, None)


@pytest.mark.parametrize("value", ["https://s3.example.com", "http://127.0.0.1", "", "127.0.0.1:x"])
def test_settings_pointing_elsewhere_are_rejected(monkeypatch, value):
    monkeypatch.setenv("MILLRACE_S3_ENDPOINT", value)
    with pytest.raises(BadInputError, match=r"MILLRACE_S3_ENDPOINT.*Unset"):
        ports.choose_port("s3")


def unclaimed_port() -> int:
    with socket.socket() as probe:
        probe.bind((ports.LOOPBACK, 0))
        return probe.getsockname()[1]


def test_two_stacks_choosing_concurrently_get_different_ports():
    """Both find a usual port free; the second is another process, and sees that the first has chosen it."""
    usual = unclaimed_port()
    code = f"from millrace.local import ports; print(ports.choose_port('s3', {usual})[0], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        theirs = int(other.stdout.readline())
        ours, note = ports.choose_port("connect", usual)
        other.communicate(b"\n")
    assert theirs == usual
    assert ours != theirs
    assert note


def test_port_claim_ends_with_its_process():
    port = unclaimed_port()
    code = f"from millrace.local import ports; assert ports.claim_port({port})"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("host", ["::1", "::", "0.0.0.0", "127.0.0.1", "localhost", ""])
def test_every_local_address_can_be_probed(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = server.getsockname()[1]
        server.listen()
        assert not ports.is_free(port, host)
    assert ports.is_free(port, host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no.such.host.invalid", "a b"])
def test_non_local_address_is_not_reported_as_port_in_use(host):
    with pytest.raises(BadInputError, match=r"MILLRACE_API_HOST=.* can't be listened on.*an address of this machine"):
        ports.is_free(8124, host)
