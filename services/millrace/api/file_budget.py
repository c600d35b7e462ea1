"""How the open files of a worker are shared out, so that it never lacks one for the next connection.

Imported before PROMETHEUS_MULTIPROC_DIR is set: it must not import the metrics.
"""

from typing import NamedTuple

from millrace.errors import BadInputError

RESERVED_FILES = 200  # open files of a worker beside its connections: S3, brokers, mapped arrays, metrics
MAX_BACKLOG = 2048  # connections that the kernel holds until a worker takes them, all at once if need be
MIN_CONNECTIONS = 50  # connections below which a worker is no use


class FileBudget(NamedTuple):
    """How a worker's open files are shared out, so that it never lacks one for the next connection."""

    connections: int
    backlog: int


def plan_files(files: int, wanted: int) -> FileBudget:
    """Connections, `wanted` at most, and backlog under a limit of so many open files.

    Raises BadInputError where it leaves next to none.
    """
    free = files - RESERVED_FILES
    backlog = min(MAX_BACKLOG, max(1, free // 3))
    connections = min(wanted, free - backlog)
    if connections < MIN_CONNECTIONS:
        least = RESERVED_FILES + 2 * MIN_CONNECTIONS
        raise BadInputError(
            f"The limit on open files, {files}, leaves {max(0, connections)} connections; allowed: a hard limit of "
            f"{least} or more (`ulimit -Hn`), and MILLRACE_API_CONNECTIONS of {MIN_CONNECTIONS} or more.",
            code="too_few_files",
            field="api_connections",
        )
    return FileBudget(connections, backlog)
