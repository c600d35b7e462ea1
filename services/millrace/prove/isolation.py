"""A home of a run's own, and surroundings in which nothing of another stack is seen."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from millrace.settings import settings
from millrace.workloads import load_workloads

PREFIX = "millrace-prove-"
KEPT = ("MILLRACE_CACHE", "MILLRACE_MAVEN_URL", "MILLRACE_LOCAL_S3", "MILLRACE_MINIO", "MILLRACE_CODE_VERSION")
"""Variables of ours that say where programs are, and not which stack is meant."""
OWN = {
    "MILLRACE_WORKLOADS": "catalogue,mooc",
    # Connect commits often: what is landed late is checked late.
    "MILLRACE_COMMIT_INTERVAL": "2",
    "MILLRACE_LOCAL_LIVE": "false",
    "MILLRACE_KAFKA_TIMEOUT": "15",
}


def make_environment(environment: dict[str, str], home: Path) -> dict[str, str]:
    """The variables of a run: without the addresses, logins and keys of any other stack."""
    foreign = [name for name in environment if name.startswith("MILLRACE_") and name not in KEPT]
    kept = {name: value for name, value in environment.items() if name not in foreign}
    # The run works in another folder: what is relative to this one must still be there.
    paths = [os.path.abspath(entry) for entry in kept.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return kept | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}) | OWN | {"MILLRACE_HOME": str(home)}


@contextmanager
def isolate(folder: Path | None = None) -> Iterator[Path]:
    """A new home, removed at the end; this process and those it starts see no other stack and no `.env` meanwhile.

    The home is made below `folder`, by default that of temporary files.
    """
    before, working_folder = dict(os.environ), Path.cwd()
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    try:
        _replace_environment(make_environment(before, home))
        os.chdir(home)
        yield home
    finally:
        os.chdir(working_folder)
        _replace_environment(before)
        shutil.rmtree(home, ignore_errors=True)


def _replace_environment(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    settings.cache_clear()
    load_workloads.cache_clear()
