"""The jars of the stack: downloaded once into the cache, each checked against jars.lock."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from millrace.errors import UnavailableError
from millrace.local.download import PARTIAL_PREFIX, explain_unwritable, fetch
from millrace.settings import settings

LOCK_FILE = Path(__file__).with_name("jars.lock")
SPARE_BYTES = 200_000_000  # bytes that a download leaves free on the disk
Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


@dataclass(frozen=True)
class Jar:
    """A jar of the lock: its path below the Maven repository, its checksum, its bytes."""

    path: str
    sha256: str
    size: int


def load_lock(bundle: str) -> list[Jar]:
    """The jars of a bundle (`kafka`, `connect-iceberg`, `s3proxy`, `spark`), in the lock's order."""
    rows = [line.split() for line in LOCK_FILE.read_text().splitlines() if not line.startswith("#")]
    return [Jar(path, sha256, int(size)) for name, path, sha256, size in rows if name == bundle]


def bundle_folder(bundle: str) -> Path:
    """Where the jars of a bundle are kept."""
    return settings().cache / "jars" / bundle


def jar_files(bundle: str) -> list[Path]:
    """Where the jars of a bundle are, or will be."""
    return [bundle_folder(bundle) / Path(jar.path).name for jar in load_lock(bundle)]


def bundle_classpath(bundle: str) -> str:
    """The jars of a bundle, as Java wants them."""
    return os.pathsep.join(map(str, jar_files(bundle)))


def find_missing(bundle: str) -> list[Jar]:
    """Jars of the bundle that are not in the cache, or not in their full size."""
    target = bundle_folder(bundle)
    return [
        jar
        for jar in load_lock(bundle)
        if not (file := target / Path(jar.path).name).is_file() or file.stat().st_size != jar.size
    ]


def ensure_jars(bundles: list[str], progress: Progress = lambda done, all_: None) -> None:
    """Download what is missing of the bundles, four at a time.

    Raises UnavailableError when Maven Central can't be reached or the disk is full, CorruptError when a file is not
    what the lock says. A file gets its name only when it is whole and checked: a killed download goes on where it
    stopped, a file at a time.
    """
    wanted = [(bundle, jar) for bundle in bundles for jar in find_missing(bundle)]
    total, done, lock = sum(jar.size for _, jar in wanted), 0, threading.Lock()
    if not wanted:
        return
    try:
        for bundle in bundles:
            bundle_folder(bundle).mkdir(parents=True, exist_ok=True)
            _sweep(bundle_folder(bundle))
    except OSError as error:
        raise explain_unwritable(error) from error
    _check_room(total)
    base = settings().maven_url.rstrip("/")

    def advance(size: int) -> None:
        nonlocal done
        with lock:
            done += size
            progress(done, total)

    with httpx.Client(timeout=60, follow_redirects=True) as client, ThreadPoolExecutor(4) as pool:
        tasks = [
            pool.submit(
                fetch, client, f"{base}/{jar.path}", jar.sha256, bundle_folder(bundle) / Path(jar.path).name, advance
            )
            for bundle, jar in wanted
        ]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _sweep(target: Path) -> None:
    """Remove what downloads left that were killed more than an hour ago."""
    for part in target.glob(f"{PARTIAL_PREFIX}*"):
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < time.time() - 3600:
                part.unlink()


def _check_room(size: int) -> None:
    free = shutil.disk_usage(settings().cache).free
    if free < size + SPARE_BYTES:
        raise UnavailableError(
            f"{settings().cache} has {free / 1e9:.1f} GB free and the jars need {(size + SPARE_BYTES) / 1e9:.1f} GB. "
            "Free some, or set MILLRACE_CACHE to a larger disk.",
            code="no_disk",
        )
