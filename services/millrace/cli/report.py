"""Writes charts of a page stream to files."""

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.output import Json, emit, err, handle_errors
from millrace.pages.board import MAX_MINUTES
from millrace.workloads import find_workload


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Examples: `millrace report urls --out report`; `millrace report urls --out now --minutes 15`")(
        report
    )


@handle_errors
def report(
    name: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A workload whose pages are clustered: urls.")],
    out: Annotated[Path, typer.Option(help="The folder to write to; it is made where it is not there.")],
    minutes: Annotated[int, typer.Option(min=1, max=MAX_MINUTES, help="At most so many, up to the newest page.")] = 60,
    as_json: Json = False,
) -> None:
    """Write clusters and messages over time as PNG, and one HTML file with both and the numbers."""
    from millrace.report import collect, write

    workload = collect.require_pages(find_workload(name))
    write.import_charts()
    err.print(f"reading {workload.deltas_topic}")
    result = write.write_report(name, collect.load_board(workload), out, minutes)
    sentence = f"{result['pages']:,} pages in {result['clusters']} clusters, {result['from']} to {result['to']}:"
    emit(result, as_json, lambda: "\n".join([sentence, *result["files"]]))
