"""Chaos with proofs: faults by a schedule against a stack of its own, and a certificate of what held."""

from pathlib import Path
from typing import Annotated

import typer

from millrace.cli.output import Json, emit, err, handle_errors, out
from millrace.errors import BadInputError

DEFAULT_SEED, DEFAULT_MINUTES = 7, 10.0
MAX_DEADLINE_S = 600.0


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        epilog="Examples: `millrace prove --seed 7 --minutes 10`; `millrace prove --replay schedule.json`; "
        "`millrace prove --seed 7 --plan`"
    )(prove)


@handle_errors
def prove(
    seed: Annotated[int | None, typer.Option(help=f"Draws the schedule: {DEFAULT_SEED} by default.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help=f"How long faults come, without start and end: {DEFAULT_MINUTES:g} by default.")
    ] = None,
    replay: Annotated[Path | None, typer.Option(help="Run the schedule of this file instead.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where schedule, history and logs go: prove-SEED by default.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="After which an answer must have what was acknowledged.")
    ] = None,
    shrink_runs: Annotated[
        int, typer.Option(min=0, help="At most so many further runs to find the shortest schedule that fails.")
    ] = 8,
    plan: Annotated[bool, typer.Option("--plan", help="Print the schedule and run nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Break a stack of its own by a seeded schedule, and check that nothing promised was broken.

    Kafka, S3, Connect, the API and the updater are killed, paused and cut off while clients post and ask. What is
    acknowledged must be in the lake once and count once, answers must be those of a serial replay, and no request may
    fail that must not. Ends with code 1 where a rule was broken.
    """
    from millrace.prove.model import DEADLINE_S
    from millrace.prove.schedule import generate, load

    if replay is not None and (seed is not None or minutes is not None):
        raise BadInputError(
            "--replay has a seed and a length of its own; leave out --seed and --minutes.", field="replay"
        )
    deadline_s = DEADLINE_S if deadline is None else deadline
    if not 0 < deadline_s <= MAX_DEADLINE_S:
        allowed = f"more than 0, at most {MAX_DEADLINE_S:g} seconds"
        raise BadInputError(f"--deadline {deadline_s:g} is not usable; allowed: {allowed}.", field="deadline")
    drawn = (DEFAULT_SEED if seed is None else seed, 60 * (DEFAULT_MINUTES if minutes is None else minutes))
    schedule = load(replay) if replay else generate(*drawn)
    if plan:
        emit(schedule.to_json(), True)
        return
    from millrace.prove.campaign import SHORTEST_FILE, CampaignOptions, prove_schedule

    target = (folder or Path(f"prove-{schedule.seed}")).absolute()
    result = prove_schedule(schedule, CampaignOptions(target, deadline_s, shrink_runs))
    shortest = result.shortest.to_json() if result.shortest else None
    if as_json:
        emit(result.certificate.to_json() | {"shortest": shortest, "out": str(target)}, True)
    else:
        out.print(result.certificate.to_text())
        err.print(f"History and logs are in {target}.")
        if result.shortest:
            err.print(
                f"Still fails with {len(result.shortest.faults)} faults: `millrace prove --replay "
                f"{target / SHORTEST_FILE}`"
            )
    if not result.certificate.is_proved:
        raise typer.Exit(1)
