"""From a posted event to a changed recommendation, end to end over HTTP, while events come at a rate.

Every event is of a user of its own, who before it is a stranger and gets what is popular. All users who wait are asked
for again and again, so that each event is probed: its time runs from the moment at which it was due to the answer that
no longer falls back.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from millrace.registry.registry import Registry
from tests.bench.answers import served
from tests.bench.table import Line
from tests.online.grown import publish

RATE, SECONDS = 500.0, 60.0
CONNECTIONS, PROBES = 32, 2
PAUSE = 0.02  # seconds between two looks of a probe
PATIENCE = 60.0


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int):
        self._port = port

    async def open(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return int(answer[9:12]), await self._reader.readexactly(length)


class Run:
    """Posts at the rate, and probes all that were accepted."""

    def __init__(self, port: int, name: str, courses: list[str], rate: float, seconds: float):
        self._name = name  # of users whom no other run has
        self._port, self._courses, self._rate, self._seconds = port, courses, rate, seconds
        self._due: deque[tuple[int, float]] = deque()
        self._waiting: dict[str, float] = {}
        self.accepted_in: list[float] = []
        self.changed_in: list[float] = []
        self.failed = 0
        self._posting = True

    async def pace(self) -> None:
        number, begin = 0, time.perf_counter()
        while (now := time.perf_counter()) < begin + self._seconds:
            while begin + number / self._rate <= now:
                self._due.append((number, begin + number / self._rate))
                number += 1
            await asyncio.sleep(0.001)
        self._posting = False

    async def poster(self) -> None:
        connection = await Connection(self._port).open()
        while self._posting or self._due:
            if not self._due:
                await asyncio.sleep(0.001)
                continue
            number, due = self._due.popleft()
            user, course = f"{self._name}-{number}", self._courses[number % len(self._courses)]
            body = json.dumps({"user_id": user, "course_id": course, "event_id": number}).encode()
            status, _ = await connection.post("/v1/mooc/events", body)
            if status == 202:
                self.accepted_in.append(time.perf_counter() - due)
                self._waiting[user] = due
            else:
                self.failed += 1

    async def probe(self, share: int) -> None:
        connection = await Connection(self._port).open()
        ends = time.perf_counter() + self._seconds + PATIENCE
        while (self._posting or self._due or self._waiting) and time.perf_counter() < ends:
            asked = [user for user in self._waiting if int(user.rpartition("-")[2]) % PROBES == share][:500]
            if asked:
                body = json.dumps({"users": asked, "n": 1}).encode()
                _, result = await connection.post("/v1/mooc/recommendations", body)
                now = time.perf_counter()
                for item in json.loads(result):
                    if item["fallback"] is None:
                        self.changed_in.append(now - self._waiting.pop(item["user_id"]))
            await asyncio.sleep(PAUSE)

    async def run(self) -> dict[str, Any]:
        posters = [self.poster() for _ in range(CONNECTIONS)]
        await asyncio.gather(self.pace(), *posters, *(self.probe(share) for share in range(PROBES)))
        return {
            "events": len(self.accepted_in),
            "failed": self.failed,
            "never_seen": len(self._waiting),
            "accepted_p50_ms": 1000 * quantile(self.accepted_in, 0.5),
            "accepted_p99_ms": 1000 * quantile(self.accepted_in, 0.99),
            "p50": quantile(self.changed_in, 0.5),
            "p99": quantile(self.changed_in, 0.99),
            "max": max(self.changed_in, default=float("nan")),
        }


def quantile(values: list[float], share: float) -> float:
    return float(np.quantile(values, share)) if values else float("nan")


def measure(home: Path, environment: dict[str, str]) -> Iterator[Line]:
    items = publish(Registry())
    with served("millrace.cli", "serve", home=home, env=environment | {"MILLRACE_API_WORKERS": "2"}) as (_, port, _):
        uvloop.run(Run(port, "warm", items, RATE / 5, 5.0).run())  # warm
        report = uvloop.run(Run(port, "bench", items, RATE, SECONDS).run())
    what = f"{RATE:g} events/s, 2 workers: POST to changed recommendation"
    yield Line(f"{what}, p99", 2, report["p99"], "s", less_is_better=True, detail=report)
    yield Line(f"{what}, p50", None, report["p50"], "s", less_is_better=True, detail=report)
    yield Line("the same, until Kafka has it (202), p99", None, report["accepted_p99_ms"], "ms", less_is_better=True)
