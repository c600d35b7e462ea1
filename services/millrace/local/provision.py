"""What a running stack needs before records can flow: buckets, topics, tables and sinks, each made once."""

from millrace.lake.sink import ensure_sinks
from millrace.lake.tables import ensure_tables
from millrace.messaging.topics import ensure_topics
from millrace.registry.store import ObjectStore
from millrace.settings import settings
from millrace.workloads import workloads


def provision() -> dict[str, list[str]]:
    """Make what is missing and return it by kind; a second call changes nothing."""
    wanted = list(workloads().values())
    for bucket in (settings().lake_bucket, settings().models_bucket):
        ObjectStore(bucket).ensure_bucket()
    return {
        "topics": ensure_topics(wanted),
        "tables": ensure_tables(wanted),
        "sinks": ensure_sinks(wanted),
    }
