"""Charts of a stream of pages as files."""

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.output import Json, emit, err, guarded
from millrace.pages.board import MOST_MINUTES
from millrace.workloads import workload


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Examples: `millrace report urls --out report`; `millrace report urls --out now --minutes 15`")(
        report
    )


@guarded
def report(
    name: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A workload whose pages are clustered: urls.")],
    out: Annotated[Path, typer.Option(help="The folder to write to; it is made where it is not there.")],
    minutes: Annotated[int, typer.Option(min=1, max=MOST_MINUTES, help="At most so many, up to the newest page.")] = 60,
    as_json: Json = False,
) -> None:
    """Write clusters and messages over time as PNG, and one HTML file with both and the numbers."""
    from millrace.report import collect, write

    workload_ = collect.with_pages(workload(name))
    write.drawing()
    err.print(f"reading {workload_.deltas_topic}")
    result = write.write(name, collect.board(workload_), out, minutes)
    sentence = f"{result['pages']:,} pages in {result['clusters']} clusters, {result['from']} to {result['to']}:"
    emit(result, as_json, lambda: "\n".join([sentence, *result["files"]]))
