"""A bucket of any S3, with its errors as sentences and its conditional writes."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, BinaryIO, Protocol

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from millrace.errors import ConflictError, NotFoundError, UnavailableError
from millrace.runtime.proxies import leads_to_loopback
from millrace.settings import require_address, settings

CONFLICT_CODES = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
NO_PROFILE = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Session variables for who has keys: the profile that the user chose for other work, and its files, do not count."""
NOT_FOUND_CODES = {"NoSuchKey", "NoSuchBucket", "404", "NotFound"}


class S3Client(Protocol):
    """What is used of botocore's client for S3, made at run time: requests and answers as S3 names them.

    Every method raises ClientError for a refusal, and BotoCoreError where no answer comes.
    """

    def list_objects_v2(self, **request: str | int) -> dict[str, Any]: ...

    def create_bucket(self, **request: str) -> dict[str, Any]: ...

    def get_object(self, **request: str) -> dict[str, Any]: ...

    def put_object(self, **request: str | bytes | BinaryIO) -> dict[str, Any]: ...

    def delete_object(self, **request: str) -> dict[str, Any]: ...

    def get_paginator(self, operation_name: str) -> "S3Paginator": ...


class S3Paginator(Protocol):
    """Lists what S3 tells in pages."""

    def paginate(self, **request: str) -> Iterable[dict[str, Any]]: ...


def make_client() -> S3Client:
    """A client for the configured S3. Creating one takes a while: keep it. Threads may share it.

    It is boto3's own without its transfer manager, whose import would cost the API a tenth of its start.
    """
    endpoint, current = require_address("s3_endpoint"), settings()
    keys: dict[str, Any] = {}
    session = botocore.session.Session()
    if current.s3_access_key and current.s3_secret_key:
        keys = {
            "aws_access_key_id": current.s3_access_key,
            "aws_secret_access_key": current.s3_secret_key.get_secret_value(),
        }
        session = botocore.session.Session(session_vars=NO_PROFILE)
    client: Any = session.create_client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=current.s3_region,
        config=Config(
            connect_timeout=3,
            read_timeout=15,
            retries={"max_attempts": 4, "mode": "standard"},
            s3={"addressing_style": "path"} if endpoint else {},
            # Not those of the environment.
            proxies={} if leads_to_loopback(endpoint) else None,
            # An endpoint of one's own has no such variants, whatever AWS_USE_FIPS_ENDPOINT says of AWS's.
            **({"use_fips_endpoint": False, "use_dualstack_endpoint": False} if endpoint else {}),
            # Not every S3 knows the newer trailing checksums; sha256 of each array stands in the manifest.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
        **keys,
    )
    return client


@dataclass(frozen=True)
class ObjectEntry:
    """What a listing says of an object."""

    key: str
    modified: datetime
    """When it was written, by the store's own clock, to the second."""
    size: int
    """Bytes."""


class ObjectStore:
    """One bucket. Every method raises UnavailableError when the server is away or refuses the credentials."""

    def __init__(self, bucket: str):
        self.bucket = bucket

    @cached_property
    def _client(self) -> S3Client:
        """Made when it is first needed: who waits for a stack asks again."""
        return make_client()

    @contextmanager
    def _translate_errors(self, key: str) -> Iterator[None]:
        where = f"s3://{self.bucket}/{key}"
        try:
            yield
        except ClientError as error:
            code, message = (error.response["Error"].get(name, "") for name in ("Code", "Message"))
            if code in NOT_FOUND_CODES:
                raise NotFoundError(f"{where} does not exist.", field="key") from None
            if code in CONFLICT_CODES:
                raise ConflictError(f"{where} was changed by somebody else in the meantime.") from None
            raise UnavailableError(f"S3 refused {where}: {code} {message}", code="s3_refused") from error
        except BotoCoreError as error:
            server = settings().s3_endpoint or "AWS"
            raise UnavailableError(
                f"S3 at {server} does not answer for {where}: {error} (MILLRACE_S3_ENDPOINT names the server).",
                code="s3_unavailable",
            ) from error

    def ensure_bucket(self) -> bool:
        """Create the bucket; False when it was there."""
        try:
            with self._translate_errors(""):
                # Not HeadBucket, which some servers allow only to who may read the whole bucket.
                self._client.list_objects_v2(Bucket=self.bucket, MaxKeys=1)
            return False
        except NotFoundError:
            with self._translate_errors(""):
                self._client.create_bucket(Bucket=self.bucket)
            return True

    def get(self, key: str) -> tuple[bytes, str]:
        """(content, ETag). Raises NotFoundError."""
        with self._translate_errors(key):
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            return answer["Body"].read(), answer["ETag"]

    def read_chunks(self, key: str, size: int = 1 << 20) -> Iterator[bytes]:
        """The content of a large object, a piece at a time. Raises NotFoundError."""
        with self._translate_errors(key):
            yield from self._client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(size)

    def get_if_changed(self, key: str, etag: str | None) -> tuple[bytes, str] | None:
        """(content, ETag), or None when the object still has that ETag. Raises NotFoundError."""
        condition = {"IfNoneMatch": etag} if etag else {}
        with self._translate_errors(key):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key, **condition)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 304:
                    return None
                raise
            return answer["Body"].read(), answer["ETag"]

    def put(self, key: str, content: bytes) -> str:
        """Write an object whether it exists or not, and return its ETag."""
        with self._translate_errors(key):
            return self._client.put_object(Bucket=self.bucket, Key=key, Body=content)["ETag"]

    def put_if_absent(self, key: str, content: bytes | BinaryIO) -> str:
        """Write a new object, from memory or from a file, and return its ETag.

        Raises ConflictError when one with other content exists.
        """
        return self._put_if(key, content, {"IfNoneMatch": "*"})

    def put_if_match(self, key: str, content: bytes, etag: str) -> str:
        """Replace the object only if it still has that ETag. Raises ConflictError."""
        return self._put_if(key, content, {"IfMatch": etag})

    def _put_if(self, key: str, content: bytes | BinaryIO, condition: dict[str, str]) -> str:
        try:
            with self._translate_errors(key):
                if not isinstance(content, bytes):
                    content.seek(0)
                return self._client.put_object(Bucket=self.bucket, Key=key, Body=content, **condition)["ETag"]
        except ConflictError:
            # A PUT whose answer was lost is sent again by the client, and then meets its own first attempt.
            try:
                stored, etag = self.get(key)
            except NotFoundError:
                stored, etag = None, ""
            if stored == (content if isinstance(content, bytes) else _read_whole(content)):
                return etag
            raise

    def delete(self, key: str) -> None:
        with self._translate_errors(key):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def keys(self, prefix: str) -> list[str]:
        """All keys that start with a prefix, sorted."""
        return [entry.key for entry in self.entries(prefix)]

    def entries(self, prefix: str) -> list[ObjectEntry]:
        """All objects whose keys start with a prefix, sorted by key."""
        with self._translate_errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            contents = [entry for page in pages for entry in page.get("Contents", ())]
        entries = (ObjectEntry(entry["Key"], entry["LastModified"], entry["Size"]) for entry in contents)
        return sorted(entries, key=lambda entry: entry.key)

    def names(self, prefix: str) -> list[str]:
        """The first path parts below a prefix that ends in `/`, sorted."""
        with self._translate_errors(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            prefixes = [common["Prefix"] for page in pages for common in page.get("CommonPrefixes", ())]
        return sorted(name.removeprefix(prefix).rstrip("/") for name in prefixes)


def _read_whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()
