"""The topic of the running stack that the pages of the API follow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from millrace.messaging.fence import Fence
from millrace.messaging.fenced_writer import FencedWriter, TopicLog
from millrace.messaging.reader import read_all
from tests.pages import feed

TOPIC = "urls.deltas"
Publish = Callable[..., None]


@contextmanager
def emptied() -> Iterator[Publish]:
    """A way to send messages; what was in the topic before, and these afterwards, get tombstones."""
    log = TopicLog(TOPIC)
    writer = FencedWriter(log)
    writer.catch_up()
    writer.take_over()

    def publish(*messages: feed.Message) -> None:
        writer.send([(key.encode(), value) for key, value in map(feed.encoded, messages)])

    def forget() -> None:
        messages = [message for message in read_all(TOPIC) if message.key and not Fence().is_control(message.key)]
        present = {message.key.decode(): message.value for message in messages}
        publish(*((key, None) for key, value in present.items() if value is not None))

    try:
        forget()
        yield publish
        forget()
    finally:
        log.close()
