from pathlib import Path

import pytest

from millrace.errors import UnavailableError
from millrace.local import java


@pytest.fixture
def only_java(tmp_path, monkeypatch):
    """A machine whose one Java says it is of the given version."""

    def install(version: str) -> Path:
        program = tmp_path / "java"
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
        program.chmod(0o755)
        return program

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "JVM_FOLDER", tmp_path / "none")
    return install


@pytest.mark.parametrize("version", ["11.0.20", "1.8.0_392"])
def test_outdated_java_is_reported_with_its_version(only_java, version):
    program = only_java(version)
    number = "8" if version.startswith("1.8") else "11"
    with pytest.raises(UnavailableError, match=rf"{program} is {number}.*openjdk-17") as raised:
        java.ensure_java()
    assert raised.value.code == "no_java"


def test_missing_java_is_reported_with_install_command(only_java):
    with pytest.raises(UnavailableError, match=r"no java at all.*apt-get install"):
        java.ensure_java()


@pytest.mark.parametrize("version", ["17.0.15", "21", "23.0.2"])
def test_java_supported_by_kafka_and_spark_is_chosen(only_java, version):
    assert only_java(version) == java.find_java()


@pytest.mark.parametrize("version", ["24", "25.0.1"])
def test_java_unsupported_by_spark_is_never_chosen_and_usable_ones_are_named(only_java, version):
    program = only_java(version)
    with pytest.raises(UnavailableError, match=rf"Java 17 to 23 are usable.*{program} is {version[:2]}"):
        java.find_java()


def test_usable_java_is_found_when_java_home_names_unusable_one(only_java, tmp_path, monkeypatch, caplog):
    usable = only_java("21.0.1")
    newer = tmp_path / "jdk-25/bin/java"
    newer.parent.mkdir(parents=True)
    newer.write_text("#!/bin/sh\necho 'openjdk version \"25\"' >&2\n")
    newer.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk-25"))
    assert java.find_java() == usable
    assert f"{usable} is used: {newer} is 25, and Java 17 to 23 are usable" in caplog.text


def test_java_home_takes_precedence_over_path(only_java, tmp_path, monkeypatch):
    only_java("17.0.1")
    other = tmp_path / "jdk/bin"
    other.mkdir(parents=True)
    (other / "java").write_text("#!/bin/sh\necho 'openjdk version \"21\"' >&2\n")
    (other / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert java.find_java() == other / "java"
