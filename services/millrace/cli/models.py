"""Models: train, list, show, promote, rollback, trace."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.table import Table

from millrace.cli.output import Json, emit, emit_line, err, handle_errors, make_table
from millrace.cli.workload_names import Names, select_workloads
from millrace.errors import MillraceError, NotFound
from millrace.runtime.signals import end_child
from millrace.runtime.text import make_printable
from millrace.settings import REPOSITORY
from millrace.workloads import find_model

if TYPE_CHECKING:
    from millrace.registry.registry import Registry
    from millrace.training.options import TrainingRequest

Model = Annotated[str, typer.Argument(metavar="MODEL", help="As WORKLOAD/MODEL, for example courses/popularity.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version, or `champion`.")]
models_app = typer.Typer(no_args_is_help=True, help="List, show, promote or roll back versions.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        epilog="Examples: `millrace train courses --window 1/3 --window all`; "
        "`millrace train courses --follow --every 1000rows`"
    )(train)
    app.command(epilog="Examples: `millrace compact`; `millrace compact courses --keep-days 7`")(compact)
    app.command(epilog="Example: `millrace trace courses/popularity champion`")(trace)
    app.add_typer(models_app, name="models")


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


def format_quality(metrics: dict[str, Any]) -> str:
    """What the gate compares: the silhouette of clusters, NDCG@10 of recommendations. Sums have none."""
    if "ndcg@10" in metrics:
        return f"{metrics['ndcg@10']:.4f}"
    return f"{metrics['silhouette']:.3f}" if "silhouette" in metrics else "-"


@handle_errors
def train(
    names: Annotated[list[str], typer.Argument(metavar="WORKLOAD...", help="One or several workloads.")],
    model: Annotated[list[str] | None, typer.Option(help="Only this model; may be given several times.")] = None,
    window: Annotated[list[str] | None, typer.Option(help="1/3, 2/3 or all; may be given several times.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="An earlier snapshot's id; the newest by default.")] = None,
    accept_gaps: Annotated[
        bool, typer.Option("--accept-gaps", help="Train although offsets are missing; the manifest names them.")
    ] = False,
    network: Annotated[
        list[str] | None, typer.Option(help="For recommenders: try sasrec, bert4rec or fm too; needs PyTorch.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="For page clusters: learn space and k anew.")] = False,
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


def split_model(full_name: str) -> tuple[str, str]:
    """(workload, model) of `courses/popularity`. Raises NotFound with what is allowed."""
    workload, model = find_model(full_name)
    return workload.name, model.name


def resolve_version(registry: "Registry", workload_name: str, model: str, version: str) -> str:
    """The version itself, or the champion's."""
    if version != "champion":
        return version
    champion = registry.champion(workload_name, model)
    if champion is None:
        raise NotFound(f"{workload_name}/{model} has no champion yet; `millrace train {workload_name}` trains one.")
    return champion.version


@models_app.command("list", epilog="Examples: `millrace models list`; `millrace models list courses products`")
@handle_errors
def list_models(names: Names = None, as_json: Json = False) -> None:
    """All versions of the models of workloads, a model's oldest first, with the champion marked."""
    from millrace.registry.registry import Registry

    registry, result = Registry(), []
    for name, model in [(found.name, model) for found in select_workloads(names) for model in found.models]:
        champion = registry.champion(name, model.name)
        for manifest in registry.manifests(name, model.name):
            result.append(
                {
                    "model": manifest.full_name,
                    "version": manifest.version,
                    "champion": champion is not None and champion.version == manifest.version,
                    "window": manifest.data.window,
                    "rows": manifest.data.rows,
                    "k": manifest.parameters.get("k"),
                    "metrics": manifest.metrics,
                }
            )
    mark = {True: "champion", False: ""}
    rows = [
        [r["model"], r["version"], mark[r["champion"]], r["window"], r["rows"], r["k"], format_quality(r["metrics"])]
        for r in result
    ]
    emit(result, as_json, lambda: make_table(None, "model", "version", "", "window", "rows", "k", "quality", rows=rows))


@models_app.command("show", epilog="Example: `millrace models show courses/popularity champion --json`")
@handle_errors
def show(model: Model, version: Version = "champion", as_json: Json = False) -> None:
    """The whole manifest of a version."""
    from millrace.registry.registry import Registry

    (name, short), registry = split_model(model), Registry()
    manifest = registry.manifest(name, short, resolve_version(registry, name, short, version))
    emit(manifest.model_dump(mode="json"), True)


@models_app.command("promote", epilog="Example: `millrace models promote courses/price 20261121T040000Z-1a2b3c4d`")
@handle_errors
def promote(model: Model, version: Version, as_json: Json = False) -> None:
    """Serve this version, whatever the gate said. Checked first; two at once can't both win."""
    from millrace.registry.registry import Registry

    name, short = split_model(model)
    champion = Registry().promote(name, short, version)
    emit({"model": model, **champion.__dict__}, as_json, lambda: f"{model} serves {champion.version}")


@models_app.command("rollback", epilog="Example: `millrace models rollback courses/price`")
@handle_errors
def rollback(model: Model, as_json: Json = False) -> None:
    """Serve the previous champion again."""
    from millrace.registry.registry import Registry

    name, short = split_model(model)
    champion = Registry().rollback(name, short)
    emit({"model": model, **champion.__dict__}, as_json, lambda: f"{model} serves {champion.version} again")


@handle_errors
def compact(
    names: Names = None,
    keep_days: Annotated[float, typer.Option(min=0, help="Age up to which every snapshot is kept.")] = 7.0,
    as_json: Json = False,
) -> None:
    """Rewrite small files of the lake and expire old snapshots; what a model was trained on stays."""
    wanted = [found.name for found in select_workloads(names)]
    results = list(run_spark("compact.py", [*wanted, f"--keep-days={keep_days}"]))
    rows = [[*result.values()] for result in results]
    emit(results, as_json, lambda: make_table(None, "table", "rewritten", "written", "deleted", rows=rows))


@handle_errors
def trace(model: Model, version: Version = "champion", as_json: Json = False) -> None:
    """From a version back to its data: snapshot, offset ranges, code version, metrics."""
    from millrace.registry.registry import Registry

    (name, short), registry = split_model(model), Registry()
    lineage = registry.trace(name, short, resolve_version(registry, name, short, version))
    flat = [[key, value] for key, value in lineage.items() if key != "data"] + [
        [*item] for item in lineage["data"].items()
    ]
    emit(lineage, as_json, lambda: make_table(None, "what", "value", rows=flat))
