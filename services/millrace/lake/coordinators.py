"""Where the coordinators of the sinks begin to read what was written to object storage and is not in a table yet.

A worker of Iceberg's sink commits the offsets of its source together with the announcement of its files, on the topic
lake.control; from then on the announcement is all that leads to those rows. The coordinator commits its own offsets
there only after a commit to the table. Until its first one it has none, and Iceberg (1.12) lets it begin with what
comes later: a coordinator that ends before its first commit loses what was announced to it (apache/iceberg #17551, and
the review of #17925). `iceberg.kafka.auto.offset.reset` would be no cure: it holds for the workers too, whose groups
are new at each start, and who would answer every commit of a month again.
"""

from collections.abc import Iterable

from millrace.lake.sink import connector_name
from millrace.messaging.group_offsets import anchor_group, has_offsets
from millrace.messaging.topics import CONTROL
from millrace.workloads.base import Workload


def sink_group(workload: str) -> str:
    """The consumer group in which a sink commits how far it has read its source."""
    return f"connect-{connector_name(workload)}"


def coordinator_group(workload: str) -> str:
    """The consumer group of a sink's coordinator."""
    return f"{sink_group(workload)}-coord"


def ensure_coordinators(workloads: Iterable[Workload]) -> list[str]:
    """Let each coordinator that has no offsets begin where its first announcement can be; returns their groups.

    A sink that has committed nothing has announced nothing. Of one that has, all that the control topic holds is read
    again: what is in the table already is passed over, as the sink's snapshots say how far they are. Raises
    UnavailableError.
    """
    return [
        coordinator_group(workload.name)
        for workload in workloads
        if anchor_group(
            coordinator_group(workload.name),
            CONTROL,
            is_new=not has_offsets(sink_group(workload.name), workload.records_topic),
        )
    ]
