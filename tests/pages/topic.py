"""The topic of the running stack that the pages of the API follow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from millrace.messaging.producer import make_producer
from millrace.messaging.reader import read_all
from tests.pages import feed

TOPIC = "urls.deltas"
Publish = Callable[..., None]


@contextmanager
def emptied() -> Iterator[Publish]:
    """A way to send messages; what was in the topic before, and these afterwards, get tombstones."""
    sender = make_producer()

    def publish(*messages: feed.Message) -> None:
        for key, value in map(feed.encoded, messages):
            sender.send(TOPIC, key.encode(), value)
        sender.flush()

    def forget() -> None:
        present = {message.key.decode(): message.value for message in read_all(TOPIC) if message.key}
        publish(*((key, None) for key, value in present.items() if value is not None))

    try:
        forget()
        yield publish
        forget()
    finally:
        sender.close()
