"""A TCP proxy of this machine with faults: what clients are told is the address of Kafka or S3 is this one's."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any

from millrace.prove.faults.cutting import HEAD_END, BodyCutter, content_length
from millrace.runtime.ports import LOOPBACK

CHUNK_BYTES = 65_536
SLOW_CHUNK_S = 0.2
"""Seconds by which every piece is late in the mode `slow`."""
START_TIMEOUT_S = 10.0
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
UNAVAILABLE = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(SLOW_DOWN), SLOW_DOWN)
)
RESET_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends a reset instead of an end."""


class Mode(StrEnum):
    """What the proxy does with connections; the last three speak HTTP."""

    PASS = "pass"
    REFUSE = "refuse"
    """Nobody listens."""
    RESET = "reset"
    """Connections are taken and reset, those there are too."""
    BLACKHOLE = "blackhole"
    """Nothing passes and nothing is closed; what waits passes when the mode ends."""
    SLOW = "slow"
    """Each piece is SLOW_CHUNK_S late."""
    UNAVAILABLE = "unavailable"
    """Every request is answered 503."""
    CUT = "cut"
    """Answers end in mid-body."""
    TORN = "torn"
    """Bodies of PUT and POST end half way: the server has a part, and the client no answer."""


KEEPS_CONNECTIONS = (Mode.PASS, Mode.BLACKHOLE, Mode.SLOW)
"""Modes that those who are connected meet; before the others every connection is reset."""
CUTTERS: dict[tuple[Mode, str], tuple[bytes, ...]] = {
    (Mode.CUT, "answer"): (b"HTTP/1.",),
    (Mode.TORN, "request"): (b"PUT ", b"POST "),
}


class Proxy:
    """Listens on `port`, and connects to the port that `target` gives at that moment. Any thread may call it."""

    def __init__(self, port: int, target: Callable[[], int]):
        self.port, self._target = port, target
        self._mode = Mode.PASS
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {port}", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Event()

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        self._thread.start()
        self._run(self._change_mode(Mode.PASS))

    def stop(self) -> None:
        """Close all connections and listen no more."""
        if self._thread.is_alive():
            self._run(self._close_all())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(START_TIMEOUT_S)
        self._loop.close()

    def set_mode(self, mode: Mode) -> None:
        """From now on; returns when it is so."""
        self._run(self._change_mode(mode))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    async def _change_mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.BLACKHOLE:
            self._gate.clear()
        else:
            self._gate.set()
        if mode not in KEEPS_CONNECTIONS:
            self._reset_connections()
        if mode is Mode.REFUSE:
            await self._stop_listening()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            await asyncio.sleep(0)

    async def _close_all(self) -> None:
        await self._stop_listening()
        self._reset_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reset_connections(self) -> None:
        for writer in list(self._writers):
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve_by_mode(reader, writer)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _serve_by_mode(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._gate.wait()
        if self._mode is Mode.RESET:
            reset(writer)
        elif self._mode is Mode.UNAVAILABLE:
            await answer_unavailable(reader, writer)
        else:
            await self._connect(reader, writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join both sides until either ends."""
        there_reader, there_writer = await asyncio.open_connection(LOOPBACK, self._target())
        self._writers.add(there_writer)
        try:
            pumps = [
                asyncio.ensure_future(self._pump(reader, there_writer, "request")),
                asyncio.ensure_future(self._pump(there_reader, writer, "answer")),
            ]
            _, others = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in others:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self._writers.discard(there_writer)
            there_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        cutter: BodyCutter | None = None
        while data := await reader.read(CHUNK_BYTES):
            await self._gate.wait()
            if self._mode is Mode.SLOW:
                await asyncio.sleep(SLOW_CHUNK_S)
            if starts := CUTTERS.get((self._mode, direction)):
                cutter = cutter or BodyCutter(*starts)
                data, is_cut = cutter.feed(data)
            else:
                cutter, is_cut = None, False
            writer.write(data)
            await writer.drain()
            if is_cut:
                return


async def answer_unavailable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a request and answer 503. Who has sent a body that nobody reads would see a reset, and not the answer."""
    head = await reader.readuntil(HEAD_END)
    if b"100-continue" not in head.lower():
        left = content_length(head)
        while left > 0 and (data := await reader.read(min(left, CHUNK_BYTES))):
            left -= len(data)
    writer.write(UNAVAILABLE)
    await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a broken one ends: by a reset."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_LINGER)
    writer.transport.abort()
