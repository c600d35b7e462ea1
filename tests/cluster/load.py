"""Callers that ask the API from a process of their own, with so many seconds between questions, and count faults.

    python -m tests.cluster.load URL CALLERS PAUSE [PATIENT]

Each request has a connection of its own, so that a rollout has nothing to hide behind. A PATIENT caller does what a
client does whose connection broke: it asks again, up to 5 times. Ends with its standard input and prints
{"answers", "retried", "failed": [...], "seconds"}.
"""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

BODY = b'{"num_subscribers": 10000, "num_reviews": 310, "num_lectures": 42, "content_duration": 4.5}'


class Callers:
    def __init__(self, url: str, pause: float, patient: bool):
        position, self._pause = urlsplit(url), pause
        self._host, self._port, self._tries = position.hostname, position.port, 6 if patient else 1
        self._request = (
            f"POST /course_popularity HTTP/1.1\r\nHost: {position.netloc}\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
        ).encode() + BODY
        self.answers, self.retried, self.failed = 0, 0, []
        self.stopped = False

    async def _once(self) -> str:
        """Empty when it was answered with 200, else what was wrong."""
        try:
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    writer.write(self._request)
                    answer = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            return repr(error)
        return "" if answer.startswith(b"HTTP/1.1 200 ") else repr(answer[:300])

    async def keep_asking(self) -> None:
        while not self.stopped:
            for attempt in range(self._tries):
                output = await self._once()
                if not output:
                    self.answers += 1
                    break
                if attempt + 1 < self._tries:
                    self.retried += 1
                    await asyncio.sleep(0.2 * 2**attempt)
            else:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {output}")
            await asyncio.sleep(self._pause)


async def main(url: str, callers: int, pause: float, patient: bool) -> None:
    load, begin = Callers(url, pause, patient), time.monotonic()
    tasks = [asyncio.create_task(load.keep_asking()) for _ in range(callers)]
    await asyncio.to_thread(sys.stdin.read)
    load.stopped = True
    await asyncio.gather(*tasks)
    seconds = time.monotonic() - begin
    print(json.dumps({"answers": load.answers, "retried": load.retried, "failed": load.failed, "seconds": seconds}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), "PATIENT" in sys.argv[4:]))
