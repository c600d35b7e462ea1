"""Write what the chart knows of workloads and rights, from the package: `tools/chart_files.py [--check]`.

One source for topics, sinks, models and who may touch which objects; `--check` fails when a file in the chart is not
what would be written.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from millrace.lake.sink import connector_template
from millrace.messaging.topics import Topic, list_shared_topics, list_workload_topics
from millrace.rights import COMPONENTS
from millrace.settings import Settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

FILES = Path(__file__).parents[1] / "charts/millrace/files"
HEAD = "# Written by tools/chart_files.py from the Python package; change it there.\n"


def topic(result: Topic) -> dict[str, Any]:
    return {"name": result.name, "partitions": result.partitions, "config": result.configs}


def describe_workload(workload: Workload) -> dict[str, Any]:
    return {
        "models": [model.name for model in workload.models],
        "pages": [model.name for model in workload.pages],
        "events": [model.name for model in workload.recommenders],
        "topics": [topic(found) for found in list_workload_topics(workload)],
        "connector": connector_template(workload),
    }


def rights() -> str:
    """What each component does with objects."""
    body = {
        component: {
            "buckets": result.buckets,
            "read": {bucket: list(prefixes) for bucket, prefixes in result.read.items()},
            "write": {bucket: list(prefixes) for bucket, prefixes in result.write.items()},
        }
        for component, result in COMPONENTS.items()
    }
    return HEAD + yaml.safe_dump(body, sort_keys=False, width=120)


def content() -> str:
    body = {
        "partitions": Settings.model_fields["kafka_partitions"].default,
        "topics": [topic(found) for found in list_shared_topics()],
        "workloads": {name: describe_workload(workload) for name, workload in load_workloads().items()},
    }
    return HEAD + yaml.safe_dump(body, sort_keys=False, width=120)


def main() -> None:
    for name, text in (("workloads.yaml", content()), ("rights.yaml", rights())):
        file = FILES / name
        if "--check" not in sys.argv:
            file.write_text(text)
        elif not file.is_file() or file.read_text() != text:
            sys.exit(f"{file} is not what the package says: make chart-files")


if __name__ == "__main__":
    main()
