import socket

import pytest

from millrace.errors import BadInput, Unavailable
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


def test_a_port_in_use_gives_way_to_a_free_one_and_it_is_said(listener):
    port, said = ports.choose("s3", before=listener)
    assert port != listener
    assert ports.is_free(port)
    assert said == f"Port {listener} is in use, so s3 listens on {port}."


def test_the_port_of_the_last_run_is_kept_while_it_is_free():
    before = ports.any_free()
    assert ports.choose("connect", before) == (before, None)


def test_two_children_never_get_the_same_port():
    before = ports.any_free()
    assert ports.choose("connect", before, taken=[before])[0] != before


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("api", "MILLRACE_API_PORT", "{}"),
        ("s3", "MILLRACE_S3_ENDPOINT", "http://127.0.0.1:{}"),
        ("kafka", "MILLRACE_KAFKA_BOOTSTRAP", "localhost:{}"),
    ],
)
def test_a_port_that_the_user_insists_on_is_taken_or_refused_by_name(monkeypatch, listener, name, variable, value):
    free = ports.any_free()
    monkeypatch.setenv(variable, value.format(free))
    assert ports.choose(name) == (free, None)
    monkeypatch.setenv(variable, value.format(listener))
    with pytest.raises(Unavailable, match=rf"Port {listener} \({variable}\) is in use"):
        ports.choose(name)


def test_a_port_in_the_env_file_counts_as_insisted(tmp_path):
    free = ports.any_free()
    (tmp_path / ".env").write_text(f"MILLRACE_API_PORT={free}\n")
    assert ports.choose("api") == (free, None)


@pytest.mark.parametrize("value", ["https://s3.example.com", "http://127.0.0.1", "", "127.0.0.1:x"])
def test_settings_that_lead_elsewhere_are_refused(monkeypatch, value):
    monkeypatch.setenv("MILLRACE_S3_ENDPOINT", value)
    with pytest.raises(BadInput, match=r"MILLRACE_S3_ENDPOINT.*Unset"):
        ports.choose("s3")
