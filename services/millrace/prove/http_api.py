"""The API over HTTP, each request on a connection of its own, so that all workers are asked."""

from urllib.parse import quote

import httpx

from millrace.prove.history import Json, Reply
from millrace.runtime import http
from millrace.settings import settings

TIMEOUT_S = 30.0
"""Seconds; the API answers a post after 11 at the latest, so whoever waits longer waits for a process that is gone."""
HISTORY_ITEMS, RECOMMENDED_ITEMS = 1000, 20


class HttpApi:
    """Asks the stack's API for one workload."""

    def __init__(self, workload: str):
        self._base = f"http://127.0.0.1:{settings().api_port}"
        self._workload = workload

    def post(self, events: list[dict[str, Json]]) -> Reply:
        """Post events of the workload."""
        return self._ask("POST", f"/v1/{self._workload}/events", events)

    def history(self, user: str) -> Reply:
        """All items of a user."""
        return self._ask("GET", f"/v1/{self._workload}/history/{quote(user, safe='')}?n={HISTORY_ITEMS}")

    def recommendations(self, user: str) -> Reply:
        """The next items for a user."""
        path = f"/v1/{self._workload}/recommendations/{quote(user, safe='')}?n={RECOMMENDED_ITEMS}"
        return self._ask("GET", path)

    def ready(self) -> Reply:
        """Readiness with its detail."""
        return self._ask("GET", "/health/ready")

    def _ask(self, method: str, path: str, body: Json = None) -> Reply:
        try:
            answer = http.request(method, f"{self._base}{path}", json=body, timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            return Reply(None, {"error": type(error).__name__})
        try:
            return Reply(answer.status_code, answer.json())
        except ValueError:
            return Reply(answer.status_code, {"text": answer.text[:500]})
