"""API keys: off if none are set; otherwise every path except health and pages without data needs one.

If posting requires a key and none are set, events are refused. Routers and the middleware both follow `AccessRules`:
in the document a closed router depends on `api_key_header`, and the middleware refuses the call. It is the middleware
that does so because paths which bypass the router, the document and paths that do not exist need a key as well.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from fastapi import APIRouter, Depends, params
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader
from starlette.types import ASGIApp, Receive, Scope, Send

from millrace.api.errors import error_response
from millrace.errors import UnauthorizedError

api_key_header = APIKeyHeader(name="X-API-Key", scheme_name="ApiKey", auto_error=False)
"""The scheme in the document; `Authorization: Bearer` does as well."""
HEADER = api_key_header.model.name
HEADER_BYTES = HEADER.lower().encode()


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

    def dependencies(self, router: APIRouter) -> Sequence[params.Depends]:
        """What a router is included with: the scheme where its paths need a key."""
        needs = {self.requires_key(path) for path in list_paths([router])}
        assert len(needs) == 1, f"{router.prefix} mixes paths that need a key with paths that need none"
        return [Depends(api_key_header)] if needs == {True} else []


def list_paths(routers: Iterable[APIRouter]) -> set[str]:
    """The paths of routers."""
    return {route.path for router in routers for route in router.routes if isinstance(route, APIRoute)}


class ApiKeyMiddleware:
    """Answers 401 unless the header, or `Authorization: Bearer`, holds one of `keys`, or the path requires none."""

    def __init__(self, app: ASGIApp, keys: list[str], access: AccessRules):
        self.app, self.access = app, access
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.access.requires_key(scope["path"]) or self._has_known_key(scope):
            await self.app(scope, receive, send)
            return
        if not self.access.keys:
            error = UnauthorizedError(
                f"{HEADER}: events are taken from callers with a key only, and this service has no keys; "
                "MILLRACE_API_KEYS gives it some (the chart: api.auth.enabled), MILLRACE_API_POSTING=open opens it.",
                field=HEADER,
                allowed="none, until this service has keys",
            )
            await error_response(scope["path"], error)(scope, receive, send)
            return
        error = UnauthorizedError(
            f"{HEADER}: is missing or wrong; allowed: one of the keys of this service in the header {HEADER}, "
            "or in Authorization as `Bearer <key>`.",
            field=HEADER,
            allowed="a key of this service",
        )
        headers = {"WWW-Authenticate": 'Bearer realm="millrace"'}
        await error_response(scope["path"], error, headers=headers)(scope, receive, send)

    def _has_known_key(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        digest_of_key = _digest(headers.get(HEADER_BYTES) or bearer)
        # Every key is compared, over digests of one length, so that time tells nothing about them.
        matches = [hmac.compare_digest(digest_of_key, digest) for digest in self._digests]
        return any(matches)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
