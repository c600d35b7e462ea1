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
# How long an example takes says nothing of what it holds, on a machine that does other things besides.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


pytest_plugins = ["tests.tiers", "tests.trained"]


@pytest.fixture(scope="session")
def engines() -> None:
    """Asked for by whatever starts a program that is not Python: its tests are in the tier `test` (tests/tiers.py)."""


@pytest.fixture(scope="session")
def stack(engines: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the running stack; topics, tables and sinks exist. Its tests run in one process (tests/tiers.py)."""
    from millrace.local import stack
    from millrace.provision import provision
    from millrace.settings import settings

    home = tmp_path_factory.mktemp("stack")
    before = os.environ.get("MILLRACE_HOME")
    os.environ["MILLRACE_HOME"] = str(home)
    settings.cache_clear()
    stack.up()
    settings.cache_clear()
    try:
        provision()
        yield home
    finally:
        stack.down()
        if before is None:
            del os.environ["MILLRACE_HOME"]
        else:
            os.environ["MILLRACE_HOME"] = before
        settings.cache_clear()


@pytest.fixture(scope="session")
def spark(stack: Path):
    """One Spark session for all tests that read the lake as a training does."""
    from millrace.training.session import spark

    session = spark("tests")
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
