"""API keys: off when none are set; else every path needs one that was not declared open.

Open are health and pages without data. `requires_key` is the one rule: the middleware answers by it and the OpenAPI
document is written by it.
"""

import hashlib
import hmac
from collections.abc import Set

from starlette.types import ASGIApp, Receive, Scope, Send

from millrace.api.errors import respond
from millrace.errors import Unauthorized


def requires_key(path: str, open_paths: Set[str]) -> bool:
    """Whether a call of a path needs a key; `open_paths` are whole paths, none with a parameter."""
    return path not in open_paths


class KeyMiddleware:
    """Answers 401 unless `X-API-Key`, or `Authorization: Bearer`, holds one of `keys`, or the path requires none."""

    def __init__(self, app: ASGIApp, keys: list[str], open_paths: Set[str]):
        self.app, self.open_paths = app, open_paths
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not requires_key(scope["path"], self.open_paths) or self._known(scope):
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

    def _known(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        given = _digest(headers.get(b"x-api-key") or bearer)
        # Every key is compared, over digests of one length, so that time tells nothing about them.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return any(matches)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
