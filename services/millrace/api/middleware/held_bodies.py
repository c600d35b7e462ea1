"""Bodies that are arriving: each has a deadline, and what all of a worker hold together is bounded."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Message, Receive, Scope

from millrace.errors import BusyError, MillraceError
from millrace.settings import settings

DEADLINE = "millrace.deadline"
"""In the scope: until when, on the loop's clock, the request must have arrived; set by `ClientProtocol`."""


class BodyTimeoutError(MillraceError):
    """A body did not arrive in time."""

    status, code = 408, "too_slow"


class BodyEnded(Exception):  # noqa: N818 - no error for those in between: whoever reads the body must let it pass
    """The rest of a body is not waited for; `error` is the answer."""

    def __init__(self, error: MillraceError):
        super().__init__(error.message)
        self.error = error


class ArrivingBody:
    """The body of one request, as it comes."""

    def __init__(self, scope: Scope, receive: Receive):
        self._receive, self._deadline = receive, scope.get(DEADLINE)
        self.held = 0
        """Bytes that were handed on, decompressed."""
        self._timer: asyncio.Timeout | None = None
        self._makes_room = False

    @property
    def can_make_room(self) -> bool:
        """Whether it holds something, and a part of it is waited for."""
        return self.held > 0 and self._timer is not None and not self._makes_room

    async def receive(self) -> Message:
        """The next part. Raises BodyEnded once the deadline has passed, or when it had to make room."""
        timeout = settings().api_request_timeout
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout_at(self._deadline) as self._timer:
                return await self._receive()
        except TimeoutError:
            sentence = f"body: did not arrive within {timeout:g} seconds; send it at once."
            raise BodyEnded(busy() if self._makes_room else BodyTimeoutError(sentence, field="body")) from None
        finally:
            self._timer = None

    def make_room(self) -> None:
        """End the wait for the rest."""
        self._makes_room = True
        if self._timer:
            self._timer.reschedule(asyncio.get_running_loop().time())


class HeldBodies:
    """The bodies of all requests of a worker; where they are too much, the oldest that is still to come makes room."""

    def __init__(self, limit: int):
        self.limit, self.held = limit, 0
        self._bodies: dict[ArrivingBody, None] = {}

    @contextmanager
    def admit(self, body: ArrivingBody) -> Iterator[None]:
        """A place for the body of a request until that is answered."""
        self._bodies[body] = None
        try:
            yield
        finally:
            del self._bodies[body]
            self.held -= body.held

    def hold(self, body: ArrivingBody, size: int) -> None:
        """So many bytes more. Raises BodyEnded where they are too many and no other body can make room."""
        body.held += size
        self.held += size
        if self.held > self.limit:
            oldest = next((other for other in self._bodies if other.can_make_room), None)
            if oldest is None:
                raise BodyEnded(busy())
            oldest.make_room()


def busy() -> BusyError:
    """The error for a body that there is no room for."""
    return BusyError("body: too many are held at the same time; send it again in a second.", field="body")
