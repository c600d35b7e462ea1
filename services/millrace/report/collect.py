"""The board of a stream of pages, from all that its topic holds."""

import logging

from millrace.errors import BadInputError, NotFoundError
from millrace.messaging.fence import read_current
from millrace.messaging.reader import end_offsets
from millrace.pages.board import Board
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

log = logging.getLogger("millrace.report")


def require_pages(workload: Workload) -> Workload:
    """The workload itself. Raises BadInputError where there is nothing to report of."""
    if not workload.pages:
        allowed = ", ".join(name for name, one in load_workloads().items() if one.pages) or "none of those in use"
        raise BadInputError(
            f"{workload.name} has no stream of pages to report of; allowed: {allowed}.",
            field="workload",
            allowed=allowed,
        )
    return workload


def load_board(workload: Workload) -> Board:
    """All that the stream has published.

    Raises NotFoundError where that is nothing yet, UnavailableError without Kafka.
    """
    state = Board()
    if end_offsets(require_pages(workload).deltas_topic):
        for message in read_current(workload.deltas_topic):
            try:
                state.apply((message.key or b"").decode("utf-8", "replace"), message.value, message.timestamp)
            except BadInputError as error:
                log.warning("offset %d of %s is left out: %s", message.offset, workload.deltas_topic, error.message)
    if not state.timeline(1)["messages"]:
        raise NotFoundError(
            f"{workload.deltas_topic} holds no pages yet: train a champion (`millrace train {workload.name}`), run "
            f"`millrace stream {workload.name}` and send it some (`millrace ingest {workload.name} FILE`).",
            code="nothing_yet",
        )
    return state
