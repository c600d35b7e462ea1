"""Stream commands: score pages as they arrive, read their clusters' topics."""

import sys
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from millrace.cli.output import handle_errors
from millrace.runtime.text import make_printable, printable_json
from millrace.workloads import find_workload

Name = Annotated[str, typer.Argument(metavar="WORKLOAD", help="One with a page model, such as urls.")]


class StartPosition(StrEnum):
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


@handle_errors
def stream(name: Name) -> None:
    """Cluster pages as they arrive, with Spark, in the foreground, until Ctrl-C or SIGTERM."""
    from millrace.cli.training import run_spark
    from millrace.stream.app import find_page_model

    find_page_model(find_workload(name))
    for _ in run_spark("stream.py", [name]):
        pass


@handle_errors
def consume(
    name: Name,
    cluster: Annotated[list[int] | None, typer.Option(help="Only this cluster; may be repeated.")] = None,
    group: Annotated[str, typer.Option(help="Readers of one group share the pages.")] = "millrace-consume",
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many pages.")] = None,
    start: Annotated[StartPosition, typer.Option("--from", help="Where a new group begins.")] = StartPosition.beginning,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON document a line.")] = False,
) -> None:
    """Print the pages of clusters as they are scored; where a group has ended, its next reader goes on."""
    from millrace.stream.consume import consume_pages as run

    def write(lines: list[bytes]) -> None:
        shown = printable_line if as_json else format_line
        sys.stdout.writelines(shown(line) + "\n" for line in lines)
        sys.stdout.flush()

    run(find_workload(name), cluster or [], group, write, limit=limit, beginning=start is StartPosition.beginning)


def printable_line(line: bytes) -> str:
    """A page as a line of JSON."""
    return printable_json(line.decode("utf-8", "backslashreplace"), sys.stdout.encoding)


def format_line(line: bytes) -> str:
    """A page as people read it."""
    page = orjson.loads(line)
    return make_printable(
        f"{page['timestamp']}  {page['cluster']} ({page['label']})  {page['title'] or '-'}  {page['url']}"
    )
