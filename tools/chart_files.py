"""Write what the chart knows about the workloads, from the package: `tools/chart_files.py [--check]`.

One source for topics, sinks and models; `--check` fails when the file in the chart is not what would be written.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from millrace.lake.sink import connector_template
from millrace.messaging.topics import Topic, shared_topics, workload_topics
from millrace.settings import Settings
from millrace.workloads import workloads
from millrace.workloads.base import Workload

FILE = Path(__file__).parents[1] / "charts/millrace/files/workloads.yaml"
HEAD = "# Written by tools/chart_files.py from the Python package; change it there.\n"


def topic(found: Topic) -> dict[str, Any]:
    return {"name": found.name, "partitions": found.partitions, "config": found.configs}


def described(workload: Workload) -> dict[str, Any]:
    return {
        "models": [model.name for model in workload.models],
        "pages": [model.name for model in workload.pages],
        "events": [model.name for model in workload.recommenders],
        "topics": [topic(found) for found in workload_topics(workload)],
        "connector": connector_template(workload),
    }


def content() -> str:
    body = {
        "partitions": Settings.model_fields["kafka_partitions"].default,
        "topics": [topic(found) for found in shared_topics()],
        "workloads": {name: described(workload) for name, workload in workloads().items()},
    }
    return HEAD + yaml.safe_dump(body, sort_keys=False, width=120)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(None if FILE.read_text() == content() else f"{FILE} is not what the package says: make chart-files")
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(content())
