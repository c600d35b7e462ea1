"""API keys: off when none are set; else every path but health and pages without data needs one."""

import hashlib
import hmac
from collections.abc import Set

from starlette.types import ASGIApp, Receive, Scope, Send

from millrace.api.errors import respond
from millrace.errors import Unauthorized

OPEN = ("/health/", "/v2/health/")


class KeyMiddleware:
    """Answers 401 unless `X-API-Key`, or `Authorization: Bearer`, holds one of `keys`, or the path is one of `open`."""

    def __init__(self, app: ASGIApp, keys: list[str], open: Set[str] = frozenset()):
        self.app, self.open = app, open
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._free(scope["path"]) or self._known(scope):
            await self.app(scope, receive, send)
            return
        error = Unauthorized(
            "X-API-Key: is missing or wrong; allowed: one of the keys of this service in the header X-API-Key, "
            "or in Authorization as `Bearer <key>`.",
            field="X-API-Key",
            allowed="a key of this service",
        )
        headers = {"WWW-Authenticate": 'Bearer realm="millrace"'}
        await respond(scope["path"], error, headers=headers)(scope, receive, send)

    def _free(self, path: str) -> bool:
        return path in self.open or path.startswith(OPEN)

    def _known(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        given = _digest(headers.get(b"x-api-key") or bearer)
        # Every key is compared, over digests of one length, so that time tells nothing about them.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return any(matches)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
