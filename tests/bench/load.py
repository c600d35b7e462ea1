"""A load generator: keep-alive connections that ask one POST over and over, as fast as they can or at a given rate.

    python -m tests.bench.load PORT PATH BODY_FILE CONNECTIONS SECONDS [RATE]

Prints {"answers", "failed", "seconds", "rate", "p50", "p99", "max"}, latencies in milliseconds. At a rate, a latency
counts from the moment at which the request was due, not from when a connection became free for it (Tene's
"coordinated omission").
"""

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path

import uvloop


class Caller(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, load: "Load"):
        self._load = load
        self._buffer, self._missing = b"", -1
        self.last = False
        """Whether the server ends the connection with its answer."""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self._load.free(self)

    def ask(self, due: float) -> None:
        self._due = due
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._buffer += data
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            self._ok = b" 200 " in head[:14]
            self.last = b"connection: close" in head or head.startswith(b"http/1.0")
            self._missing, self._buffer = length - (len(self._buffer) - end - 4), b""
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self._load.answered(self, self._due, self._ok)

    def connection_lost(self, error) -> None:
        if not self.last:
            self._load.lost(error)


class Load:
    """`request` over and over for so many seconds; `rate` a second, or as soon as the last is answered."""

    def __init__(self, port: int, request: bytes, seconds: float, rate: float | None):
        self._port, self.request, self._rate = port, request, rate
        self._next = time.perf_counter()
        self._ends = self._next + seconds
        self._idle: deque[Caller] = deque()
        self._waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.failed = 0
        self.done = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: Caller(self), "127.0.0.1", self._port)

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def free(self, caller: Caller) -> None:
        now = time.perf_counter()
        if now >= self._ends:
            self.finish()
        elif self._rate is None:
            caller.ask(now)
        elif self._waiting:
            caller.ask(self._waiting.popleft())
        else:
            self._idle.append(caller)

    def answered(self, caller: Caller, due: float, ok: bool) -> None:
        self.latencies.append(time.perf_counter() - due)
        self.failed += not ok
        if caller.last:
            caller.transport.close()
            self._opening = asyncio.ensure_future(self.connect())
        else:
            self.free(caller)

    def lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(f"the server closed a connection: {error}"))

    async def pace(self) -> None:
        """Requests fall due at equal distances; those due within a tick of the clock go out together."""
        while (now := time.perf_counter()) < self._ends:
            while self._next <= now:
                self._waiting.append(self._next)
                self._next += 1 / self._rate
            while self._waiting and self._idle:
                self._idle.popleft().ask(self._waiting.popleft())
            await asyncio.sleep(0.001)
        self.finish()


async def run(port: int, path: str, body: bytes, connections: int, seconds: float, rate: float | None) -> dict:
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    request = "\r\n".join([*head, "", ""]).encode() + body
    load, started = Load(port, request, seconds, rate), time.perf_counter()
    for _ in range(connections):
        await load.connect()
    pacing = asyncio.create_task(load.pace()) if rate else None
    await load.done
    took, result = time.perf_counter() - started, sorted(load.latencies)
    if pacing:
        await pacing
    return {
        "answers": len(result),
        "failed": load.failed,
        "seconds": round(took, 3),
        "rate": round(len(result) / took, 1),
        "p50": round(1000 * result[len(result) // 2], 3),
        "p99": round(1000 * result[int(len(result) * 0.99)], 3),
        "max": round(1000 * result[-1], 3),
    }


if __name__ == "__main__":
    port, path, file, connections, seconds, *rate = sys.argv[1:]
    paced = float(rate[0]) if rate else None
    report = uvloop.run(run(int(port), path, Path(file).read_bytes(), int(connections), float(seconds), paced))
    print(json.dumps(report))
