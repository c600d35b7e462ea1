"""Checks every request's Host, origin and body type first, since a browser sends any page's requests to any address.

Refuses unknown hosts (DNS rebinding), cross-origin changes, and body types that browsers send without a preflight.
"""

from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from millrace.api.errors import error_response
from millrace.errors import MillraceError
from millrace.records.numbers import show
from millrace.runtime.hosts import is_same_origin

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
JSON, BINARY = b"application/json", b"application/octet-stream"
FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
READABLE_CODINGS = (b"gzip", b"x-gzip", b"deflate", b"identity")
"""Content codings that a body may have."""
READABLE_CHARSETS = ("utf-8", "utf8", "us-ascii")
OPEN_INFERENCE_PREFIX = "/v2/"
"""Below it stock clients of the Open Inference Protocol post JSON without a type, and tensors as octets."""
MAX_CACHED_HOSTS, MAX_CACHED_HOST_BYTES = 1000, 300
"""Accepted Host headers that are remembered, none of them longer than a host name with a port."""


class ForbiddenError(MillraceError):
    """A request that a page of somebody else has sent, or that is meant for another server."""

    status, exit_code, code = 403, 2, "forbidden"


class UnsupportedMediaError(MillraceError):
    """A body of another type, charset or coding than those that are read."""

    status, exit_code, code = 415, 2, "unsupported_media_type"


class RequestGuard:
    """Answers 403 to requests of strangers' pages and names, 415 to bodies that are not read."""

    def __init__(self, app: ASGIApp, accepts: Callable[[str], bool], origins: Collection[str] = ()):
        self.app, self.accepts, self.origins = app, accepts, frozenset(origins)
        self._accepted: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (error := self._find_fault(scope)) is not None:
            headers = {"Accept-Encoding": "gzip, deflate"} if error.field == "Content-Encoding" else None
            await error_response(scope["path"], error, headers=headers)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _find_fault(self, scope: Scope) -> MillraceError | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host")
        if host is not None and host not in self._accepted and (error := self._check_host(host)):
            return error
        if scope["method"] in SAFE_METHODS:
            return None
        origin = headers.get(b"origin")
        if origin is not None and (error := self._check_origin(origin, host or b"")):
            return error
        if headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers:
            return None
        kind = headers.get(b"content-type", b"")
        if kind != JSON and (error := check_type(kind, scope["path"])):
            return error
        coding = headers.get(b"content-encoding")
        return None if coding is None else check_coding(coding)

    def _check_host(self, host: bytes) -> ForbiddenError | None:
        if self.accepts(host.decode("latin-1")):
            if len(self._accepted) < MAX_CACHED_HOSTS and len(host) <= MAX_CACHED_HOST_BYTES:
                self._accepted.add(host)
            return None
        allowed = "localhost, 127.0.0.1, and the names in MILLRACE_API_HOSTS"
        return ForbiddenError(
            f"Host: {show(host.decode('latin-1'))} is not a name of this service; allowed: {allowed}.",
            code="unknown_host",
            field="Host",
            allowed=allowed,
        )

    def _check_origin(self, origin: bytes, host: bytes) -> ForbiddenError | None:
        text = origin.decode("latin-1").lower()
        if text in self.origins or is_same_origin(text, host.decode("latin-1")):
            return None
        allowed = "pages of this service, and of the origins in MILLRACE_API_CORS_ORIGINS"
        return ForbiddenError(
            f"Origin: {show(text)} may send nothing here; allowed: {allowed}.",
            code="foreign_origin",
            field="Origin",
            allowed=allowed,
        )


def check_type(header: bytes, path: str) -> UnsupportedMediaError | None:
    """What is wrong with the Content-Type of a body for this path, if anything."""
    kind, _, parameters = header.decode("latin-1").lower().partition(";")
    kind = kind.strip()
    binary = path.startswith(OPEN_INFERENCE_PREFIX)
    if kind != JSON.decode() and not (binary and kind in ("", BINARY.decode())):
        allowed = "application/json" + (", or application/octet-stream with binary tensors" if binary else "")
        what = f"{show(kind)} is not read here" if kind else "is missing"
        hint = " (curl: --json instead of -d)" if kind in ("", FORM_CONTENT_TYPE) else ""
        return UnsupportedMediaError(
            f"Content-Type: {what}; allowed: {allowed}{hint}.", field="Content-Type", allowed=allowed
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"')
        if name.strip() == "charset" and charset not in READABLE_CHARSETS:
            return UnsupportedMediaError(
                f"Content-Type: charset {show(charset)} is not read; allowed: utf-8.",
                field="Content-Type",
                allowed="charset utf-8",
            )
    return None


def check_coding(header: bytes) -> UnsupportedMediaError | None:
    """What is wrong with the Content-Encoding of a body, if anything."""
    if header.strip().lower() in READABLE_CODINGS:
        return None
    allowed = "gzip, deflate, or none"
    return UnsupportedMediaError(
        f"Content-Encoding: {show(header.decode('latin-1'))} is not read; allowed: {allowed}.",
        field="Content-Encoding",
        allowed=allowed,
    )
