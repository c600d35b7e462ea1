"""API keys: off if none are set; otherwise every path except health and pages without data needs one.

If posting requires a key and none are set, events are refused. Middleware and OpenAPI both follow `AccessRules`.
"""

import hashlib
import hmac
from collections.abc import Set
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from millrace.api.errors import error_response
from millrace.errors import UnauthorizedError


@dataclass(frozen=True)
class AccessRules:
    """Which paths need a key; all are whole paths, none with a parameter."""

    keys: bool
    """Whether this service has keys."""
    open_paths: Set[str]
    """What needs none all the same."""
    posting_paths: Set[str] = frozenset()
    """What writes records."""
    posting_by_key: bool = False
    """Whether those need a key also where this service has none: then they are closed."""

    @property
    def is_open(self) -> bool:
        return not self.keys and not (self.posting_by_key and self.posting_paths)

    def requires_key(self, path: str) -> bool:
        """Whether a call of the path needs a key."""
        if self.keys:
            return path not in self.open_paths
        return self.posting_by_key and path in self.posting_paths


class ApiKeyMiddleware:
    """Answers 401 unless `X-API-Key`, or `Authorization: Bearer`, holds one of `keys`, or the path requires none."""

    def __init__(self, app: ASGIApp, keys: list[str], access: AccessRules):
        self.app, self.access = app, access
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.access.requires_key(scope["path"]) or self._has_known_key(scope):
            await self.app(scope, receive, send)
            return
        if not self.access.keys:
            error = UnauthorizedError(
                "X-API-Key: events are taken from callers with a key only, and this service has no keys; "
                "MILLRACE_API_KEYS gives it some (the chart: api.auth.enabled), MILLRACE_API_POSTING=open opens it.",
                field="X-API-Key",
                allowed="none, until this service has keys",
            )
            await error_response(scope["path"], error)(scope, receive, send)
            return
        error = UnauthorizedError(
            "X-API-Key: is missing or wrong; allowed: one of the keys of this service in the header X-API-Key, "
            "or in Authorization as `Bearer <key>`.",
            field="X-API-Key",
            allowed="a key of this service",
        )
        headers = {"WWW-Authenticate": 'Bearer realm="millrace"'}
        await error_response(scope["path"], error, headers=headers)(scope, receive, send)

    def _has_known_key(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        digest_of_key = _digest(headers.get(b"x-api-key") or bearer)
        # Every key is compared, over digests of one length, so that time tells nothing about them.
        matches = [hmac.compare_digest(digest_of_key, digest) for digest in self._digests]
        return any(matches)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
