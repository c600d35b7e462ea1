"""One file over HTTP: checked against its SHA-256 before it gets its name, tried again where that may help."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_incrementing

from millrace.errors import CorruptError, UnavailableError
from millrace.settings import settings

ATTEMPTS = 3
PARTIAL_PREFIX = ".download-"


def fetch(client: httpx.Client, url: str, sha256: str, target: Path, advance: Callable[[int], None]) -> None:
    """Download `url` to `target`; `advance` gets the bytes of each chunk, and takes them back on another try.

    Raises UnavailableError when it can't be had or kept, CorruptError when it has another checksum.
    """
    retrying = Retrying(
        retry=retry_if_exception(_is_temporary),
        wait=wait_incrementing(start=0.5, increment=1),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )
    try:
        retrying(_download, client, url, sha256, target, advance)
    except httpx.HTTPError as error:
        raise UnavailableError(
            f"{url} can't be downloaded ({str(error) or type(error).__name__}). Check the network, or set "
            "MILLRACE_MAVEN_URL to a mirror of Maven Central.",
            code="download_failed",
        ) from error
    except OSError as error:
        raise explain_unwritable(error) from error


def _is_temporary(error: BaseException) -> bool:
    """Whether another try may help: not where the server has answered that the request is wrong."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500
    return isinstance(error, httpx.HTTPError)


def _download(client: httpx.Client, url: str, sha256: str, target: Path, advance: Callable[[int], None]) -> None:
    """One try, whose progress is taken back when it fails."""
    received = 0
    try:
        for size in _chunks(client, url, sha256, target):
            received += size
            advance(size)
    except httpx.HTTPError:
        advance(-received)
        raise


def _chunks(client: httpx.Client, url: str, sha256: str, target: Path) -> Iterator[int]:
    """The sizes of the chunks as they are written; the file is in its place when they have ended."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=PARTIAL_PREFIX, delete=False) as part:
        try:
            with client.stream("GET", url) as response:
                response.raise_for_status()
                for chunk in response.iter_bytes(1 << 18):
                    part.write(chunk)
                    digest.update(chunk)
                    yield len(chunk)
            part.close()
            if digest.hexdigest() != sha256:
                raise CorruptError(
                    f"{url} has the checksum {digest.hexdigest()[:16]}..., the lock says {sha256[:16]}...; "
                    "it was not kept. Try again, and if it stays so, do not trust the source."
                )
            os.replace(part.name, target)
        finally:
            Path(part.name).unlink(missing_ok=True)


def explain_unwritable(error: OSError) -> UnavailableError:
    """The error of a cache that can't be written to."""
    return UnavailableError(
        f"The jars can't be kept in {settings().cache} ({error.strerror or error}). Make room or give this user the "
        "right to write there, or set MILLRACE_CACHE to another folder.",
        code="no_disk",
    )
