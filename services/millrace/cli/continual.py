"""Continual training of a network on a workload's stream."""

from dataclasses import fields
from typing import Annotated, Any

import typer

from millrace.cli.output import Json, emit, handle_errors, make_table
from millrace.neural.continual.plan import NETWORKS, ContinualPlan
from millrace.workloads import find_workload

DEFAULT: dict[str, Any] = {one.name: one.default for one in fields(ContinualPlan)}
Name = Annotated[str, typer.Argument(metavar="WORKLOAD", help="One with a recommender, such as mooc.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Examples: `millrace continual mooc`; `millrace continual mooc --until-end --publish 2000`")(
        continual
    )


@handle_errors
def continual(
    name: Name,
    model: Annotated[str | None, typer.Option(help="Its recommender, where it has several.")] = None,
    network: Annotated[str, typer.Option(help=" or ".join(NETWORKS) + ".")] = DEFAULT["network"],
    workers: Annotated[int, typer.Option(help="Processes of the torch.distributed group.")] = DEFAULT["workers"],
    batch: Annotated[int, typer.Option(help="Events of a micro-batch.")] = DEFAULT["batch"],
    steps: Annotated[int, typer.Option(help="Steps of the optimiser for each micro-batch.")] = DEFAULT["steps"],
    replay: Annotated[int, typer.Option(help="Replayed sequences that join each step.")] = DEFAULT["replay"],
    buffer: Annotated[int, typer.Option(help="The most events in the replay buffer.")] = DEFAULT["buffer"],
    checkpoint: Annotated[int, typer.Option(help="Micro-batches between checkpoints.")] = DEFAULT["checkpoint"],
    publish: Annotated[int, typer.Option(help="Events between two published versions.")] = DEFAULT["publish"],
    held_out: Annotated[int, typer.Option(help="Events on which the gate judges.")] = DEFAULT["held_out"],
    items: Annotated[int, typer.Option(help="The most items that the network has room for.")] = DEFAULT["items"],
    width: Annotated[int, typer.Option(help="Width of the network, where it starts from nothing.")] = DEFAULT["width"],
    depth: Annotated[int, typer.Option(help="Items of a history, where it starts from nothing.")] = DEFAULT["depth"],
    rate: Annotated[float, typer.Option(help="Learning rate.")] = DEFAULT["rate"],
    restarts: Annotated[int, typer.Option(help="Deaths in a row before it gives up.")] = DEFAULT["restarts"],
    until_end: Annotated[bool, typer.Option("--until-end", help="End with the last full micro-batch.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget checkpoints; start from the newest version.")] = False,
    accept_gaps: Annotated[bool, typer.Option("--accept-gaps", help="Skip events that Kafka has deleted.")] = False,
    as_json: Json = False,
) -> None:
    """Train a network on the stream, micro-batch by micro-batch, each a test first; publish through the gate.

    Runs until it is stopped, and goes on from its last checkpoint, which is kept in S3. Needs the extra `neural`.
    """
    arguments = locals()
    plan = ContinualPlan(**{name: arguments[name] for name in DEFAULT if name in arguments})
    from millrace.neural.continual.supervise import GroupSupervisor, check_plan

    followed = find_workload(name)
    result = GroupSupervisor(followed, check_plan(followed, model, plan), plan).run()
    rows = [
        [version["version"], f"{version['metrics']['ndcg@10']:.4f}", version["gate"]] for version in result["published"]
    ]
    title = (
        f"{followed.name}/{result['model']}: {result.get('batch', 0)} micro-batches, {result.get('read', 0)} events, "
        f"prequential HR@10 {result.get('hr@10', 0):.4f}"
    )
    emit(result, as_json, lambda: make_table(title, "version", "NDCG@10", "gate", rows=rows))
    if result["signal"]:
        raise typer.Exit(128 + result["signal"])
