"""Work beside the event loop: what takes long by its size, and look-ups in S3; both bounded, so that others get on.

Threads share one interpreter with the event loop: many that compute would leave it a small share of its time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from millrace.errors import BusyError

OFF_LOOP_BYTES = 8_000  # bytes from which on a body is read beside the event loop: up to there it takes milliseconds
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


class WorkQueue:
    """`threads` run at the same time, `waiting` more wait; what comes then is refused before it costs anything."""

    def __init__(self, name: str, threads: int, waiting: int):
        self.limit = threads + waiting
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._name, self._under_way = name, 0

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """What the function returns or raises, or BusyError."""
        if self._under_way >= self.limit:
            raise BusyError(
                f"{self._under_way} {self._name} are under way in this worker; allowed: {self.limit}. "
                "Come again in a second.",
                allowed=f"{self.limit} at the same time",
            )
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **kwargs))
        finally:
            self._under_way -= 1


ANSWERS = WorkQueue("large requests", threads=2, waiting=62)
"""Bodies that are long, and sums over much."""
LOOKUPS = WorkQueue("look-ups in the registry", threads=4, waiting=28)
"""What must ask S3."""


async def run_by_size(function: Callable[[bytes], Result], content: bytes) -> Result:
    """`function(content)`, beside the event loop where the content is long. Raises BusyError and what it raises."""
    return await ANSWERS.run(function, content) if len(content) > OFF_LOOP_BYTES else function(content)
