"""The jars of the stack: downloaded once into the cache, each checked against jars.lock."""

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from millrace.errors import Corrupt, Unavailable
from millrace.settings import settings

LOCK = Path(__file__).with_name("jars.lock")
ATTEMPTS = 3
SPARE = 200_000_000  # bytes that a download leaves free on the disk
Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


@dataclass(frozen=True)
class Jar:
    path: str
    sha256: str
    size: int


def locked(bundle: str) -> list[Jar]:
    """The jars of a bundle (`kafka`, `connect-iceberg`, `s3proxy`, `spark`), in the lock's order."""
    rows = [line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    return [Jar(path, sha256, int(size)) for name, path, sha256, size in rows if name == bundle]


def folder(bundle: str) -> Path:
    return settings().cache / "jars" / bundle


def files(bundle: str) -> list[Path]:
    """Where the jars of a bundle are, or will be."""
    return [folder(bundle) / Path(jar.path).name for jar in locked(bundle)]


def classpath(bundle: str) -> str:
    return os.pathsep.join(map(str, files(bundle)))


def missing(bundle: str) -> list[Jar]:
    """Jars of the bundle that are not in the cache, or not in their full size."""
    target = folder(bundle)
    return [
        jar
        for jar in locked(bundle)
        if not (file := target / Path(jar.path).name).is_file() or file.stat().st_size != jar.size
    ]


def ensure(bundles: list[str], progress: Progress = lambda done, all_: None) -> None:
    """Download what is missing of the bundles, four at a time.

    Raises Unavailable when Maven Central can't be reached or the disk is full, Corrupt when a file is not what the
    lock says. A file gets its name only when it is whole and checked: a killed download goes on where it stopped, a
    file at a time.
    """
    wanted = [(bundle, jar) for bundle in bundles for jar in missing(bundle)]
    total, done, lock = sum(jar.size for _, jar in wanted), 0, threading.Lock()
    if not wanted:
        return
    try:
        for bundle in bundles:
            folder(bundle).mkdir(parents=True, exist_ok=True)
            _sweep(folder(bundle))
    except OSError as error:
        raise _unwritable(error) from error
    _check_room(total)

    def advance(size: int) -> None:
        nonlocal done
        with lock:
            done += size
            progress(done, total)

    with httpx.Client(timeout=60, follow_redirects=True) as client, ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(_fetch, client, jar, folder(bundle), advance) for bundle, jar in wanted]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _sweep(target: Path) -> None:
    """Remove what downloads left that were killed more than an hour ago."""
    for part in target.glob(".download-*"):
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < time.time() - 3600:
                part.unlink()


def _check_room(size: int) -> None:
    free = shutil.disk_usage(settings().cache).free
    if free < size + SPARE:
        raise Unavailable(
            f"{settings().cache} has {free / 1e9:.1f} GB free and the jars need {(size + SPARE) / 1e9:.1f} GB. Free "
            "some, or set MILLRACE_CACHE to a larger disk.",
            code="no_disk",
        )


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        f"The jars can't be kept in {settings().cache} ({error.strerror or error}). Make room or give this user the "
        "right to write there, or set MILLRACE_CACHE to another folder.",
        code="no_disk",
    )


def _fetch(client: httpx.Client, jar: Jar, target: Path, advance: Callable[[int], None]) -> None:
    url = f"{settings().maven_url.rstrip('/')}/{jar.path}"
    for attempt in range(ATTEMPTS):
        got = 0

        def count(size: int) -> None:
            nonlocal got
            got += size
            advance(size)

        try:
            return _download(client, url, jar, target, count)
        except httpx.HTTPError as error:
            advance(-got)
            answer = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
            if attempt == ATTEMPTS - 1 or (answer is not None and answer < 500):
                raise Unavailable(
                    f"{url} can't be downloaded ({error or type(error).__name__}). Check the network, or set "
                    "MILLRACE_MAVEN_URL to a mirror of Maven Central.",
                    code="download_failed",
                ) from error
            time.sleep(attempt + 0.5)
        except OSError as error:
            raise _unwritable(error) from error


def _download(client: httpx.Client, url: str, jar: Jar, target: Path, count: Callable[[int], None]) -> None:
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target, prefix=".download-", delete=False) as part:
        try:
            with client.stream("GET", url) as response:
                response.raise_for_status()
                for chunk in response.iter_bytes(1 << 18):
                    part.write(chunk)
                    digest.update(chunk)
                    count(len(chunk))
            part.close()
            if digest.hexdigest() != jar.sha256:
                raise Corrupt(
                    f"{url} has the checksum {digest.hexdigest()[:16]}..., the lock says {jar.sha256[:16]}...; "
                    "it was not kept. Try again, and if it stays so, do not trust the source."
                )
            os.replace(part.name, target / Path(jar.path).name)
        finally:
            Path(part.name).unlink(missing_ok=True)
