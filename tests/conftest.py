"""The stack of the tests: real Kafka, Connect, S3, API and Spark, started once for the run in a home of its own."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared/data"

# Before millrace is imported: every process of the run knows the sixth workload, and sinks commit often.
os.environ["MILLRACE_WORKLOAD_MODULES"] = "tests.sixth"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
os.environ.setdefault("MILLRACE_COMMIT_INTERVAL", "2")
# A Spark that waits for pages would take memory and time from all tests; those of the stream start their own.
os.environ.setdefault("MILLRACE_LOCAL_LIVE", "false")
# Tests of the upkeep run it themselves.
os.environ.setdefault("MILLRACE_LOCAL_UPKEEP", "false")
# How long an example takes says nothing of what it holds, on a machine that does other things besides.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


HOME_NAME = "My Pr\u00f3jects, 100% of 'it' \\\\ #1"
"""The home of the tests' stack: what Kafka, Java, Spark and SQLAlchemy each read otherwise than it stands."""
HOSTILE = {
    # Nothing listens there.
    "http_proxy": "http://127.0.0.1:9",
    "SPARK_HOME": "/nonexistent",
    "SPARK_CONF_DIR": "/nonexistent",
    "HADOOP_CONF_DIR": "/nonexistent",
}
"""What stands in the environment of people who work with other clusters besides."""
HOSTILE_AT_START = {
    "AWS_PROFILE": "nosuch",
    "AWS_SESSION_TOKEN": "of another account",
    "AWS_CONFIG_FILE": "/nonexistent",
    "JAVA_TOOL_OPTIONS": "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9",
    "LC_ALL": "C",
}
"""The same, for the processes of the stack only: tests of AWS run beside it."""

pytest_plugins = ["tests.local_lake", "tests.tiers", "tests.trained"]


@pytest.fixture(scope="session")
def engines() -> None:
    """Asked for by whatever starts a program that is not Python: its tests are in the tier `test` (tests/tiers.py)."""


@pytest.fixture(scope="session")
def stack(engines: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the running stack; topics, tables and sinks exist. Its tests run in one process (tests/tiers.py)."""
    from millrace.local import stack
    from millrace.provision import provision
    from millrace.settings import settings

    home = tmp_path_factory.mktemp("stack") / HOME_NAME
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MILLRACE_HOME": str(home), **HOSTILE}.items():
            patch.setenv(name, value)
        settings.cache_clear()
        with pytest.MonkeyPatch.context() as start:
            for name, value in HOSTILE_AT_START.items():
                start.setenv(name, value)
            stack.start_stack()
        settings.cache_clear()
        try:
            provision()
            yield home
        finally:
            stack.stop_stack()
    settings.cache_clear()


@pytest.fixture(scope="session")
def spark(stack: Path):
    """One Spark session for all tests that read the lake as a training does."""
    from millrace.spark.session import start_session

    session = start_session("tests")
    yield session
    session.stop()


def real_file(name: str) -> Path:
    """A real file, or a skip that says where it would be."""
    file = REAL / name
    if not file.is_file():
        pytest.skip(f"the real file ../shared/data/{name} is not here")
    return file


def generated(workload, rows: int, seed: int, folder: Path) -> Path:
    """A generated CSV file of the workload."""
    from millrace.records.writer import write_csv

    file = folder / f"{workload.name}-{rows}-{seed}.csv"
    write_csv(file, workload.fields, workload.generate(random.Random(seed), rows))
    return file
