"""Models: list, show, promote, rollback, trace."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.output import Json, emit, handle_errors, make_table
from millrace.cli.workload_names import Names, select_workloads
from millrace.errors import NotFoundError
from millrace.workloads import find_model

if TYPE_CHECKING:
    from millrace.registry.registry import Registry

Model = Annotated[str, typer.Argument(metavar="MODEL", help="As WORKLOAD/MODEL, for example courses/popularity.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version, or `champion`.")]
models_app = typer.Typer(no_args_is_help=True, help="List, show, promote or roll back versions.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: `millrace trace courses/popularity champion`")(trace)
    app.add_typer(models_app, name="models")


def format_quality(metrics: dict[str, Any]) -> str:
    """What the gate compares: the silhouette of clusters, NDCG@10 of recommendations. Sums have none."""
    if "ndcg@10" in metrics:
        return f"{metrics['ndcg@10']:.4f}"
    return f"{metrics['silhouette']:.3f}" if "silhouette" in metrics else "-"


def split_model(full_name: str) -> tuple[str, str]:
    """(workload, model) of `courses/popularity`. Raises NotFoundError with what is allowed."""
    workload, model = find_model(full_name)
    return workload.name, model.name


def resolve_version(registry: "Registry", workload_name: str, model: str, version: str) -> str:
    """The version itself, or the champion's."""
    if version != "champion":
        return version
    champion = registry.champion(workload_name, model)
    if champion is None:
        raise NotFoundError(
            f"{workload_name}/{model} has no champion yet; `millrace train {workload_name}` trains one."
        )
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
def trace(model: Model, version: Version = "champion", as_json: Json = False) -> None:
    """From a version back to its data: snapshot, offset ranges, code version, metrics."""
    from millrace.registry.registry import Registry

    (name, short), registry = split_model(model), Registry()
    lineage = registry.trace(name, short, resolve_version(registry, name, short, version))
    flat = [[key, value] for key, value in lineage.items() if key != "data"] + [
        [*item] for item in lineage["data"].items()
    ]
    emit(lineage, as_json, lambda: make_table(None, "what", "value", rows=flat))
