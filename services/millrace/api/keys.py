"""API keys: off when none are set; else every path but health needs one."""

import hashlib
import hmac

from fastapi import Request

from millrace.errors import Unauthorized
from millrace.settings import settings

OPEN = ("/health/", "/v2/health/")


def check_key(request: Request) -> None:
    """Raises Unauthorized unless `X-API-Key`, or `Authorization: Bearer`, holds one of the keys."""
    keys = settings().api_keys
    if keys is None or request.url.path.startswith(OPEN):
        return
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    given = _digest(request.headers.get("x-api-key") or bearer)
    # Every key is compared, over digests of one length, so that time tells nothing about them.
    matches = [hmac.compare_digest(given, _digest(key.strip())) for key in keys.get_secret_value().split(",")]
    if not any(matches):
        raise Unauthorized("This path needs an API key in the header X-API-Key.", field="X-API-Key")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
