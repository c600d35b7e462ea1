"""The home is its owner's, and says what is wrong with it."""

import os
import stat

import pytest
import typer

from millrace.cli.output import handle_errors
from millrace.errors import BadInputError, UnavailableError
from millrace.local import credentials
from millrace.local.home import make_home
from millrace.local.jvm import clean_environment
from millrace.settings import settings


def use(monkeypatch, path) -> None:
    monkeypatch.setenv("MILLRACE_HOME", os.fsdecode(path))
    settings.cache_clear()


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_home_is_closed_to_others_even_if_it_already_exists(home, monkeypatch, before):
    folder = home / "a" / ".millrace"
    if before is not None:
        folder.mkdir(parents=True)
        folder.chmod(before)
    use(monkeypatch, folder)
    assert make_home() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_home_path_that_no_jvm_can_represent_is_rejected(home, monkeypatch):
    use(monkeypatch, os.fsencode(home) + b"/caf\xe9")
    with pytest.raises(BadInputError, match=r"MILLRACE_HOME=b'.*caf\\xe9' is not usable: its bytes are not UTF-8"):
        make_home()


def test_home_that_is_a_file_is_reported(home, monkeypatch):
    (home / "file").write_text("in the way")
    use(monkeypatch, home / "file")
    with pytest.raises(UnavailableError, match=r"file is not a folder"):
        make_home()


def test_file_owned_by_another_user_is_reported_with_a_fix(home, capsys):
    file = home / "state.json"
    file.write_text("{}")

    @handle_errors
    def command() -> None:
        raise PermissionError(13, "Permission denied", str(file))

    with pytest.raises(typer.Exit) as raised:
        command()
    assert raised.value.exit_code == 5
    message = " ".join(capsys.readouterr().err.split())
    assert f"{file} belongs to " in message
    assert "sudo chown -R" in message


def test_logins_are_generated_once_per_home_and_differ_between_homes(home):
    first, second = home / "first", home / "second"
    for folder in (first, second):
        folder.mkdir()
    assert credentials.load_credentials(first) == credentials.load_credentials(first)
    texts = [*vars(credentials.load_credentials(first)).values(), *vars(credentials.load_credentials(second)).values()]
    assert len(set(texts)) == len(texts) == 8
    assert stat.S_IMODE((first / credentials.CREDENTIALS_FILE).stat().st_mode) == 0o600


def test_user_supplied_s3_login_is_kept(home, monkeypatch):
    monkeypatch.setenv("MILLRACE_S3_ACCESS_KEY", "mine")
    monkeypatch.setenv("MILLRACE_S3_SECRET_KEY", "my-secret")
    settings.cache_clear()
    assert (credentials.load_credentials(home).s3_access_key, credentials.load_credentials(home).s3_secret_key) == (
        "mine",
        "my-secret",
    )


def test_jvm_environment_excludes_variables_for_other_programs():
    foreign = {
        "AWS_PROFILE": "x",
        "AWS_SESSION_TOKEN": "x",
        "JAVA_TOOL_OPTIONS": "x",
        "CLASSPATH": "x",
        "LC_CTYPE": "C",
    }
    kept = {"PATH": "/bin", "HOME": "/home/me", "MILLRACE_HOME": "/h", "TZ": "UTC"}
    assert clean_environment(foreign | kept) == kept | {"LC_ALL": "C.UTF-8"}
