"""Settings come from the environment, a `.env` of whoever wrote it, and the stack that runs in this home."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.errors import BadInputError, UnavailableError
from millrace.runtime.sources import ENDPOINTS, LOCK
from millrace.settings import read_explicit, require_address, settings

RUNNING = {
    "kafka_bootstrap": "127.0.0.1:19092",
    "kafka_security_protocol": "SASL_PLAINTEXT",
    "kafka_sasl_mechanism": "PLAIN",
    "kafka_username": "millrace",
    "kafka_password": "secret of this home",
    "connect_url": "http://127.0.0.1:18083",
    "connect_user": "millrace",
    "connect_password": "another",
    "s3_endpoint": "http://127.0.0.1:19000",
    "s3_access_key": "key",
    "s3_secret_key": "third",
    "catalog_jdbc": "jdbc:sqlite:file:/tmp/catalog.db",
    "api_port": 18000,
}
ADDRESSES = ["kafka_bootstrap", "connect_url", "s3_endpoint", "catalog_jdbc"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [*RUNNING, "home"]:
        monkeypatch.delenv(f"MILLRACE_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    home = tmp_path / ".millrace"
    home.mkdir()
    (home / ENDPOINTS).write_text(json.dumps(RUNNING))
    settings.cache_clear()
    yield home
    settings.cache_clear()


@contextmanager
def running(home: Path) -> Iterator[None]:
    """What a supervisor of this home does: it holds the lock."""
    with (home / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings.cache_clear()
        yield
    settings.cache_clear()


def test_running_stack_is_discovered_with_its_credentials(home):
    with running(home):
        assert [require_address(name) for name in ADDRESSES] == [RUNNING[name] for name in ADDRESSES]
        password = settings().kafka_password
        assert password
        assert password.get_secret_value() == RUNNING["kafka_password"]
        assert settings().api_port == 18000


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses_of_stopped_stack_are_no_longer_used(home, name):
    with running(home):
        pass
    with pytest.raises(
        UnavailableError, match=rf"No stack runs in {home}. Start it with `millrace up`.*{name.upper()}"
    ) as it:
        require_address(name)
    assert (it.value.code, it.value.exit_code) == ("stopped", 5)


def test_waiting_process_discovers_stack_started_later(home):
    with pytest.raises(UnavailableError):
        require_address("kafka_bootstrap")
    with (home / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert require_address("kafka_bootstrap") == RUNNING["kafka_bootstrap"]


def test_directory_without_home_ignores_stack_of_another_directory(home, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    with running(home):
        monkeypatch.chdir(tmp_path / "other")
        settings.cache_clear()
        with pytest.raises(UnavailableError, match=r"No stack runs in .*other/\.millrace"):
            require_address("kafka_bootstrap")


def test_explicit_server_does_not_receive_stack_credentials(home, monkeypatch):
    with running(home):
        monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP", "kafka.example:9092")
        monkeypatch.setenv("MILLRACE_S3_ENDPOINT", "https://s3.example")
        settings.cache_clear()
        current = settings()
        assert (current.kafka_bootstrap, current.kafka_security_protocol) == ("kafka.example:9092", "PLAINTEXT")
        assert (current.kafka_password, current.s3_access_key, current.s3_secret_key) == (None, None, None)
        assert current.connect_url == RUNNING["connect_url"]


def test_explicit_login_replaces_stack_login_entirely(home, monkeypatch):
    with running(home):
        monkeypatch.setenv("MILLRACE_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        monkeypatch.setenv("MILLRACE_KAFKA_USERNAME", "somebody")
        settings.cache_clear()
        assert settings().kafka_bootstrap == RUNNING["kafka_bootstrap"]
        assert settings().kafka_sasl_mechanism == "SCRAM-SHA-512"
        assert settings().kafka_password is None


def test_default_value_can_also_be_set_explicitly(home, monkeypatch):
    monkeypatch.setenv("MILLRACE_KAFKA_BOOTSTRAP", "stack")
    with running(home):
        assert require_address("kafka_bootstrap") == RUNNING["kafka_bootstrap"]
    assert read_explicit("kafka_bootstrap") is None


def test_unreadable_home_is_reported_with_a_fix_when_stack_is_needed(home, monkeypatch):
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != ".millrace")
    assert settings().api_port == 8000, "what needs no stack goes on"
    with pytest.raises(UnavailableError, match=rf"{home} belongs to .*sudo chown -R \w+ {home}`, or .*MILLRACE_HOME"):
        require_address("kafka_bootstrap")


OURS = "MILLRACE_API_PORT=8123\n"


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        "COMPANY=Caf\u00e9\n".encode("latin-1"),
        b"\xff\xfe garbage \x00\n",
        b'{"version": 1}\n[section]\nnot a line of this kind\n',
        b"KEY='never closed\n",
        b"AWS_PROFILE=nosuch\nSPARK_HOME=/nonexistent\nexport FOO\n",
        b"MILLRACE=1\n",
    ],
)
def test_env_file_of_another_tool_is_tolerated(foreign):
    Path(".env").write_bytes(foreign + OURS.encode())
    if not foreign.startswith(b"\xff\xfe"):
        assert settings().api_port == 8123
    assert settings().models_bucket == "millrace-models"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_env_file_is_read_in_windows_encodings(encoding):
    Path(".env").write_text(OURS, encoding=encoding)
    assert settings().api_port == 8123


def test_value_can_interpolate_another_tools_variable():
    Path(".env").write_text("NAME=team\nMILLRACE_MODELS_BUCKET=${NAME}-models\n")
    assert settings().models_bucket == "team-models"


def test_unparsable_millrace_line_is_rejected_with_line_number():
    Path(".env").write_text('A=1\nMILLRACE_S3_SECRET_KEY="never closed\n')
    with pytest.raises(BadInputError, match=r"Line 2 of .*\.env can't be parsed.*quotes that are closed"):
        settings()


def test_dot_env_directory_is_ignored():
    Path(".env").mkdir()
    assert settings().api_port == 8000
