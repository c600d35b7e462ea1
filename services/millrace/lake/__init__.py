"""The lake: Iceberg tables declared from record contracts, filled by Kafka Connect, checked before they are read."""

CATALOG = "iceberg"
"""The catalog's name is part of its rows' key: the sink, Spark and pyiceberg must all use this one."""
NAMESPACE = "millrace"


def table_name(workload: str) -> str:
    """The table of a workload's records."""
    return f"{NAMESPACE}.{workload}"


def assignments_table_name(workload: str) -> str:
    """The table of the clusters that trainings gave: model, version, record_id, cluster."""
    return f"{NAMESPACE}.{workload}_assignments"


def pages_table_name(workload: str) -> str:
    """The table of the pages that the stream scored: where each stood in Kafka, its cluster, the version."""
    return f"{NAMESPACE}.{workload}_pages"


def gaps_table_name(workload: str) -> str:
    """The table of the offsets that are known to be missing in the records, and why."""
    return f"{NAMESPACE}.{workload}_gaps"
