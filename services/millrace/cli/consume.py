"""The stream: score pages as they arrive, read the topics of their clusters."""

import sys
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from millrace.cli.output import err, guarded
from millrace.workloads import workload

Name = Annotated[str, typer.Argument(metavar="WORKLOAD", help="One with a page model, such as urls.")]


class Place(StrEnum):
    """Where a group that is new begins to read."""

    beginning = "beginning"
    end = "end"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: `MILLRACE_METRICS_PORT=9108 millrace stream urls`")(stream)
    app.command(
        epilog="Examples: `millrace consume urls --cluster 3 --group g`; "
        "`millrace consume urls --group news --json | jq .title`"
    )(consume)


@guarded
def stream(name: Name) -> None:
    """Cluster pages as they arrive, with Spark, in the foreground, until Ctrl-C or SIGTERM."""
    from millrace.cli.models import run_spark
    from millrace.stream.app import page_model

    page_model(workload(name))
    for _ in run_spark("stream.py", [name]):
        pass


@guarded
def consume(
    name: Name,
    cluster: Annotated[list[int] | None, typer.Option(help="Only this cluster; may be repeated.")] = None,
    group: Annotated[str, typer.Option(help="Readers of one group share the pages.")] = "millrace-consume",
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many pages.")] = None,
    start: Annotated[Place, typer.Option("--from", help="Where a new group begins.")] = Place.beginning,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON document a line.")] = False,
) -> None:
    """Print the pages of clusters as they are scored; where a group has ended, its next reader goes on."""
    from millrace.stream.consume import consume as run

    def write(lines: list[bytes]) -> None:
        sys.stdout.buffer.writelines((line if as_json else spoken(line)) + b"\n" for line in lines)
        sys.stdout.buffer.flush()

    run(
        workload(name),
        cluster or [],
        group,
        write,
        limit=limit,
        beginning=start is Place.beginning,
        say=lambda sentence: err.print(sentence, markup=False),
    )


def spoken(line: bytes) -> bytes:
    """A page as people read it."""
    page = orjson.loads(line)
    said = f"{page['timestamp']}  {page['cluster']} ({page['label']})  {page['title'] or '-'}  {page['url']}"
    # A title is anybody's: what could steer the terminal is not printed.
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in said).encode("utf-8", "replace")
