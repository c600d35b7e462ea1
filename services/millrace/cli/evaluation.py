"""`millrace evaluate`: compares all recommenders on held-out items."""

from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from millrace.cli.output import Json, emit, err, handle_errors, make_table, progress_bar
from millrace.errors import BadInputError
from millrace.workloads import find_workload
from millrace.workloads.base import Workload

PROTOCOLS = "full: leave one out, rank all items. negatives: among 100 uniform ones. time: one split in time for all."


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        epilog="Examples: `millrace evaluate mooc`; `millrace evaluate shop --protocol time`; "
        "`millrace evaluate --sequences beauty.txt`; "
        "`millrace evaluate --sequences users.jsonl.gz --protocol negatives --model knn --model blend --json`"
    )(evaluate)


@handle_errors
def evaluate(
    name: Annotated[
        str | None, typer.Argument(metavar="[WORKLOAD]", help="A workload with a recommender, from the lake.")
    ] = None,
    sequences: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="`user item item ...` a line, or JSON lines; also packed as gz, bz2 or xz; - is standard input.",
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(help=PROTOCOLS)] = "full",
    model: Annotated[list[str] | None, typer.Option(help="One model; may be repeated. All where left out.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same table.")] = None,
    as_json: Json = False,
) -> None:
    """Compare all recommenders on held-out items: HR@10, NDCG@10, MRR, coverage, 95% intervals over users."""
    from millrace.evaluation import table
    from millrace.evaluation.candidates import DAY_S
    from millrace.ingest.remote import fetch_source
    from millrace.neural.candidates import NETWORK_CANDIDATES
    from millrace.recommend import files

    if (sequences is None) == (name is None):
        raise BadInputError("Either a workload or --sequences FILE is needed: what to read.", field="sequences")
    if protocol not in table.PROTOCOLS:
        allowed = ", ".join(table.PROTOCOLS)
        raise BadInputError(
            f"--protocol {protocol!r} is unknown; allowed: {allowed}.", field="protocol", allowed=allowed
        )
    snapshot_id: str | None = None
    half_life: float | None = None
    window: float | None = None
    if name is not None:
        from millrace.evaluation import snapshot

        workload = find_workload(name)
        snapshot_id, interactions = snapshot.read_snapshot(workload)
        declared = workload.recommenders[0]
        half_life, window = declared.half_life and declared.half_life * DAY_S, declared.window * DAY_S
    else:
        assert sequences is not None
        with fetch_source(sequences) as local, progress_bar("reading", "bytes") as progress:
            interactions = files.read_sequences(local, progress)
    err.print(f"{len(interactions)} users, {interactions.item_count} items, {len(interactions.items)} interactions")
    with progress_bar("ranking", "users") as progress:
        result = table.evaluate_all(
            interactions,
            protocol,
            models=model or (),
            on_request=NETWORK_CANDIDATES,
            half_life=half_life,
            window=window,
            seed=table.DEFAULT_SEED if seed is None else seed,
            progress=progress,
        )
    if name is not None:
        result |= {"workload": name, "snapshot_id": snapshot_id, "saved": save_result(find_workload(name), result)}
    emit(result, as_json, lambda: make_result_table(result))


def save_result(workload: Workload, result: dict[str, Any]) -> list[str]:
    """Keep the table beside every version that was trained on this snapshot, and beside the one that is served.

    Returns the keys in the bucket of the registry.
    """
    from millrace.registry.registry import Registry, version_prefix

    registry, keys = Registry(), []
    for model in workload.recommenders:
        champion = registry.champion(workload.name, model.name)
        for manifest in registry.manifests(workload.name, model.name):
            served = champion is not None and champion.version == manifest.version
            if served or manifest.data.snapshot_id == result["snapshot_id"]:
                prefix = version_prefix(workload.name, model.name, manifest.version)
                keys.append(f"{prefix}/evaluation_{result['protocol']}.json")
                registry.store.put(keys[-1], orjson.dumps(result, option=orjson.OPT_INDENT_2))
    return keys


def make_result_table(result: dict[str, Any]) -> Table:
    """A row for each recommender; its version is named where it is not that of plain counts."""
    rows = [
        [
            entry["model"] if entry["version"] == "count" else f"{entry['model']}, {entry['version']}",
            *(format_interval(entry, name) for name in ("hr@10", "ndcg@10", "mrr")),
            f"{entry['coverage']:.1%}",
            f"{entry['fit_seconds']:.1f}",
        ]
        for entry in result["models"]
    ]
    title = f"protocol {result['protocol']}, {result['users']} users, {result['items']} items, 95% intervals"
    return make_table(title, "model", "HR@10", "NDCG@10", "MRR", "coverage", "fit CPU s", rows=rows)


def format_interval(entry: dict[str, Any], name: str) -> str:
    """A metric with its 95% interval."""
    low, high = entry["ci95"][name]
    return f"{entry[name]:.4f} ({low:.4f} to {high:.4f})"
