"""Sources that lie elsewhere: `s3://bucket/key` and `https://...` come onto the disk before they are read.

On the disk because an ingest reads its source twice: once for the receipt, once for the rows.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import httpx

from millrace.errors import BadInputError, NotFoundError, UnavailableError
from millrace.records.credentials import remove_password

SCHEMES = ("s3", "https", "http")


@contextmanager
def fetch_source(path: str) -> Iterator[str]:
    """The path of a local copy, gone after the block; a path that is local already is given back.

    Raises NotFoundError, BadInputError or UnavailableError that names the address.
    """
    scheme, _, rest = path.partition("://")
    if not rest:
        yield path
        return
    if scheme not in SCHEMES:
        raise BadInputError(
            f"{path}: {scheme}:// is not usable; allowed: a file, -, s3://BUCKET/KEY, https://...",
            code="bad_source",
            field="file",
            allowed="a file, -, s3://BUCKET/KEY, https://...",
        )
    with tempfile.TemporaryDirectory(prefix="millrace-source-") as folder:
        target = Path(folder) / (PurePosixPath(urlsplit(path).path).name or "source")
        (_fetch_s3 if scheme == "s3" else _fetch_web)(path, target)
        yield str(target)


def _fetch_s3(path: str, target: Path) -> None:
    from millrace.registry.store import ObjectStore

    bucket, _, key = path.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise BadInputError(f"{path} names no object; allowed: s3://BUCKET/KEY.", code="bad_source", field="file")
    with target.open("wb") as file:
        for chunk in ObjectStore(bucket).read_chunks(key):
            file.write(chunk)


def _fetch_web(path: str, target: Path) -> None:
    shown = remove_password(path)
    try:
        with httpx.stream("GET", path, follow_redirects=True, timeout=60) as answer:
            if answer.status_code >= 400:
                raise NotFoundError(f"{shown} answers {answer.status_code}.", code="no_such_file", field="file")
            with target.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sentence = remove_password(f"{shown} can't be fetched: {type(error).__name__} {error}")
        raise UnavailableError(sentence, code="source_away") from error
