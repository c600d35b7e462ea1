"""Models: list, show, promote, pin, unpin, rollback, trace."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.cli.output import Json, emit, handle_errors, make_table
from millrace.cli.workload_names import Names, select_workloads
from millrace.workloads import find_model

if TYPE_CHECKING:
    from millrace.registry.champion import Champion
    from millrace.registry.registry import Registry

Model = Annotated[str, typer.Argument(metavar="MODEL", help="As WORKLOAD/MODEL, for example courses/popularity.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A version, or `champion`.")]
OptionalVersion = Annotated[str | None, typer.Argument(metavar="VERSION", help="A version; by default the champion.")]
models_app = typer.Typer(no_args_is_help=True, help="List, show, promote, pin or roll back versions.")


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
    return registry.require_champion(workload_name, model).version if version == "champion" else version


def describe_champion(champion: "Champion | None", version: str) -> dict[str, Any]:
    """Whether the version is the champion, and since when and by which command it is pinned."""
    is_champion = champion is not None and champion.version == version
    return {"champion": is_champion, "pin": champion.pin if champion and is_champion else None}


def explain(model: str, champion: "Champion") -> str:
    """How the champion is pinned, and what lifts the pin."""
    from millrace.registry.champion import explain_pin

    return explain_pin(model, champion.version, champion.pin) if champion.pin else "not pinned"


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
                    **describe_champion(champion, manifest.version),
                    "window": manifest.data.window,
                    "rows": manifest.data.rows,
                    "k": manifest.parameters.get("k"),
                    "metrics": manifest.metrics,
                }
            )
    mark = {(True, False): "champion", (True, True): "champion, pinned", (False, False): ""}
    rows = [
        [
            r["model"],
            r["version"],
            mark[r["champion"], r["pin"] is not None],
            r["window"],
            r["rows"],
            r["k"],
            format_quality(r["metrics"]),
        ]
        for r in result
    ]
    emit(result, as_json, lambda: make_table(None, "model", "version", "", "window", "rows", "k", "quality", rows=rows))


@models_app.command("show", epilog="Example: `millrace models show courses/popularity champion --json`")
@handle_errors
def show(model: Model, version: Version = "champion", as_json: Json = False) -> None:
    """The whole manifest of a version, whether it is the champion, and whether it is pinned."""
    from millrace.registry.registry import Registry

    (name, short), registry = split_model(model), Registry()
    manifest = registry.manifest(name, short, resolve_version(registry, name, short, version))
    champion = registry.champion(name, short)
    emit(manifest.model_dump(mode="json") | describe_champion(champion, manifest.version), True)


@models_app.command("promote", epilog="Example: `millrace models promote courses/price 20261121T040000Z-1a2b3c4d`")
@handle_errors
def promote(model: Model, version: Version, as_json: Json = False) -> None:
    """Serve this version, whatever the gate said, and lift a pin. Checked first; two at once can't both win."""
    from millrace.registry.registry import NO_CHAMPION, Registry

    (name, short), registry = split_model(model), Registry()
    before = registry.champion(name, short)
    etag = before.etag if before else NO_CHAMPION
    champion = registry.promote(name, short, version, expected_etag=etag, lift_pin=True)
    lifted = before.pin if before else None
    sentence = f"{model} serves {champion.version}"
    if before and lifted:
        sentence += (
            f"; the pin to {before.version} ({lifted.by}, {lifted.since}) is lifted, and trainings promote again"
        )
    emit({"model": model, **champion.__dict__, "lifted_pin": lifted}, as_json, lambda: sentence)


@models_app.command("pin", epilog="Examples: `millrace models pin courses/price`; with a version, it is promoted first")
@handle_errors
def pin(model: Model, version: OptionalVersion = None, as_json: Json = False) -> None:
    """Hold the champion: trainings publish versions, but promote none until `unpin`."""
    from millrace.registry.registry import Registry

    name, short = split_model(model)
    champion = Registry().pin(name, short, None if version == "champion" else version)
    emit({"model": model, **champion.__dict__}, as_json, lambda: f"{model} {explain(model, champion)}")


@models_app.command("unpin", epilog="Example: `millrace models unpin courses/price`")
@handle_errors
def unpin(model: Model, as_json: Json = False) -> None:
    """Let trainings promote again; the champion stays until one does."""
    from millrace.registry.registry import Registry

    (name, short), registry = split_model(model), Registry()
    before = registry.require_champion(name, short)
    champion = registry.unpin(name, short, before)
    sentence = "is no longer pinned: trainings promote again" if before.pin else "was not pinned"
    emit(
        {"model": model, **champion.__dict__, "lifted_pin": before.pin},
        as_json,
        lambda: f"{model} {sentence}; it serves {champion.version}",
    )


@models_app.command("rollback", epilog="Example: `millrace models rollback courses/price`")
@handle_errors
def rollback(model: Model, as_json: Json = False) -> None:
    """Serve the previous champion again, and pin it: trainings promote nothing until `unpin` or `promote`."""
    from millrace.registry.registry import Registry

    name, short = split_model(model)
    champion = Registry().rollback(name, short)
    emit(
        {"model": model, **champion.__dict__},
        as_json,
        lambda: f"{model} serves {champion.version} again, {explain(model, champion)}",
    )


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
