"""The jars of the stack: downloaded once into the cache, each checked against jars.lock."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from millrace.errors import Corrupt, Unavailable
from millrace.settings import settings

LOCK = Path(__file__).with_name("jars.lock")
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


def classpath(bundle: str) -> str:
    return os.pathsep.join(str(folder(bundle) / Path(jar.path).name) for jar in locked(bundle))


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

    Raises Unavailable when Maven Central can't be reached, Corrupt when a file is not what the lock says.
    A file gets its name only when it is whole and checked, so a killed download leaves nothing to clean up.
    """
    wanted = [(bundle, jar) for bundle in bundles for jar in missing(bundle)]
    total, done, lock = sum(jar.size for _, jar in wanted), 0, threading.Lock()
    if not wanted:
        return

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


def _fetch(client: httpx.Client, jar: Jar, target: Path, advance: Callable[[int], None]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    url = f"{settings().maven_url}/{jar.path}"
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target, prefix=".download-", delete=False) as part:
        try:
            with client.stream("GET", url) as response:
                response.raise_for_status()
                for chunk in response.iter_bytes(1 << 18):
                    part.write(chunk)
                    digest.update(chunk)
                    advance(len(chunk))
            part.close()
            if digest.hexdigest() != jar.sha256:
                raise Corrupt(
                    f"{url} has the checksum {digest.hexdigest()[:16]}..., the lock says {jar.sha256[:16]}...; "
                    "it was not kept. Try again, and if it stays so, do not trust the source."
                )
            os.replace(part.name, target / Path(jar.path).name)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"{url} can't be downloaded ({error or type(error).__name__}). Check the network, or set "
                "MILLRACE_MAVEN_URL to a mirror of Maven Central.",
                code="download_failed",
            ) from error
        finally:
            Path(part.name).unlink(missing_ok=True)
