"""Spark jobs: train models, compact the lake."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.table import Table

from millrace.cli.models import format_quality
from millrace.cli.output import Json, emit, emit_line, err, handle_errors, make_table
from millrace.cli.workload_names import Names, select_workloads
from millrace.errors import MillraceError
from millrace.runtime.signals import end_child
from millrace.runtime.text import make_printable
from millrace.settings import REPOSITORY

if TYPE_CHECKING:
    from millrace.training.options import TrainingRequest


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        epilog="Examples: `millrace train courses --window 1/3 --window all`; "
        "`millrace train courses --follow --every 1000rows`"
    )(train)
    app.command(epilog="Examples: `millrace compact`; `millrace compact courses --keep-days 7`")(compact)


class TrainingError(MillraceError):
    """The error that a training printed, with its own exit code."""

    def __init__(self, body: dict[str, Any], exit_code: int):
        super().__init__(body["message"], code=body["code"], field=body["field"], allowed=body["allowed"])
        self.exit_code = exit_code


def run_training(request: "TrainingRequest") -> Iterator[dict[str, Any]]:
    """Run spark-apps/train.py and yield its results as they come. Raises its error."""
    return run_spark("train.py", request.to_arguments())


def run_spark(script: str, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """Run a script of spark-apps and yield its JSON lines as they come. Raises its error."""
    from millrace.spark.session import spark_environment

    command = [sys.executable, str(REPOSITORY / "spark-apps" / script), *arguments]
    # The JVM's own start-up notices are of no use to anybody here; sentences come through on standard error.
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=spark_environment(os.environ)) as child:
        try:
            for line in child.stdout or ():
                if not line.startswith(b"{"):  # the JVM writes its own warnings to standard output
                    err.out(make_printable(line.decode("utf-8", "backslashreplace"), newlines=True), end="")
                    continue
                result = orjson.loads(line)
                if "error" in result:
                    raise TrainingError(result["error"], child.wait())
                yield result
            if child.wait():
                raise MillraceError(f"{script} ended with {child.returncode}; its last lines are above.")
        except BaseException:
            end_child(child)
            raise


def make_results_table(results: list[dict[str, Any]]) -> Table:
    """A row for each version that a training has made."""
    rows = [
        [
            f"{r['workload']}/{r['model']}",
            r["window"],
            r["version"],
            describe_result(r),
            format_quality(r),
            r["rows"],
            "champion" if r["promoted"] else f"kept back: {r['gate']}",
        ]
        for r in results
    ]
    return make_table(None, "model", "window", "version", "what", "quality", "rows", "gate", rows=rows)


def describe_result(result: dict[str, Any]) -> str:
    """What a training came to, in a word or two."""
    if "orders" in result:
        return f"{result['orders']} orders"
    return f"k={result['k']}" if "k" in result else result["recipe"]


@handle_errors
def train(
    names: Annotated[list[str], typer.Argument(metavar="WORKLOAD...", help="One or several workloads.")],
    model: Annotated[list[str] | None, typer.Option(help="Only this model; may be given several times.")] = None,
    window: Annotated[list[str] | None, typer.Option(help="1/3, 2/3 or all; may be given several times.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="An earlier snapshot's id; the newest by default.")] = None,
    accept_gaps: Annotated[
        bool, typer.Option("--accept-gaps", help="Accept the offsets that are missing now, for good, and train.")
    ] = False,
    network: Annotated[
        list[str] | None, typer.Option(help="For recommenders: try sasrec, bert4rec or fm too; needs PyTorch.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="For page clusters: relearn space and k.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep running; train each workload again when --every says.")
    ] = False,
    every: Annotated[
        str | None, typer.Option(show_default="1000rows", help="With --follow: 1000rows of a workload, or 10m.")
    ] = None,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="Wait so long for the first rows.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Train on a snapshot of the lake with Spark, publish versions, and promote those that pass the gate."""
    from millrace.training.options import TrainingOptions, TrainingRequest, read_pace

    options = TrainingOptions(
        models=tuple(model or ()),
        windows=tuple(window or ()),
        snapshot_id=snapshot,
        accept_gaps=accept_gaps,
        networks=tuple(network or ()),
        fresh=fresh,
    )
    request = TrainingRequest(tuple(names), options, read_pace(follow, every), wait)
    if request.pace:
        for result in run_training(request):
            emit_line(result)
        return
    results = list(run_training(request))
    emit(results, as_json, lambda: make_results_table(results))


@handle_errors
def compact(
    names: Names = None,
    keep_days: Annotated[float, typer.Option(min=0, help="Age from which on every untagged snapshot goes.")] = 7.0,
    as_json: Json = False,
) -> None:
    """Rewrite small files of the lake, expire old snapshots, remove old versions; whatever was a champion stays."""
    wanted = [found.name for found in select_workloads(names)]
    results = list(run_spark("compact.py", [*wanted, f"--keep-days={keep_days}"]))
    rows = [[*result.values()] for result in results]
    emit(results, as_json, lambda: make_table(None, "table", "rewritten", "written", "deleted", rows=rows))
