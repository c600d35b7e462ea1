"""Platform commands: up, down, provision, status, doctor, serve."""

from typing import Annotated, Any

import typer
from rich.table import Table

from millrace.cli.output import Json, emit, err, handle_errors, make_table, progress_bar
from millrace.errors import BadInputError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: `millrace up && millrace status`")(up)
    app.command(epilog="Example: `millrace down`")(down)
    app.command(epilog="Example: `millrace provision --only buckets --only tables`")(provision)
    app.command(epilog="Example: `millrace status --json | jq .children[].port`")(status)
    app.command(epilog="Examples: `millrace doctor`; `millrace doctor --cluster --namespace millrace`")(doctor)
    app.command(epilog="Example: `MILLRACE_API_PORT=8080 millrace serve`")(serve)


def start_stack() -> bool:
    """Start what does not run, with progress; false when all of it ran."""
    from millrace.local import stack
    from millrace.provision import provision

    with progress_bar("downloading jars", "bytes") as progress:
        started = stack.start_stack(progress)
    made = provision()
    for kind, names in made.items():
        if names:
            err.print(f"{kind} made: {', '.join(names)}")
    return started


@handle_errors
def up(as_json: Json = False) -> None:
    """Start Kafka, Connect, S3 and the API on this machine, and make topics, tables and sinks."""
    from millrace.local import stack

    started = start_stack()
    stack_status = stack.stack_status() | {"started": started}
    emit(stack_status, as_json, lambda: make_status_table(stack_status))
    if not started:
        err.print("It ran already; nothing was changed.")


@handle_errors
def provision(
    only: Annotated[
        list[str] | None, typer.Option(help="buckets, topics, tables, coordinators or sinks; may be repeated.")
    ] = None,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="Wait so long for each part that is unavailable.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Make the buckets, topics, tables and sinks that are missing, on any platform that the settings name."""
    from millrace.provision import STEPS
    from millrace.provision import provision as run

    if unknown := [kind for kind in only or () if kind not in STEPS]:
        allowed = ", ".join(STEPS)
        raise BadInputError(f"--only {unknown[0]} is not usable; allowed: {allowed}.", field="only", allowed=allowed)
    made = run(only or (), wait)
    emit(made, as_json, lambda: "\n".join(f"{kind} made: {', '.join(names) or 'none'}" for kind, names in made.items()))


@handle_errors
def down(as_json: Json = False) -> None:
    """Stop everything that `up` started. Data and models stay."""
    from millrace.local import stack

    stopped = stack.stop_stack()
    emit({"stopped": stopped}, as_json, lambda: "stopped" if stopped else "nothing was running")


def format_address(child: dict[str, Any]) -> str:
    """Where a process listens, or - where it does not."""
    if not child["port"]:
        return "-"
    return f"127.0.0.1:{child['port']}" if child["name"] == "kafka" else f"http://127.0.0.1:{child['port']}"


def make_status_table(stack_status: dict[str, Any]) -> Table:
    """A row for each process of the stack."""
    rows = [
        [
            child["name"],
            child["state"],
            format_address(child),
            child["pid"],
            child["restarts"],
            f"{child['memory'] / 1e6:.0f} MB",
            child["last_error"],
        ]
        for child in stack_status["children"]
    ]
    title = f"stack: {stack_status['phase']}" + "".join(f"\n{note}" for note in stack_status["notes"])
    return make_table(title, "part", "state", "address", "pid", "restarts", "memory", "last fault", rows=rows)


@handle_errors
def status(as_json: Json = False) -> None:
    """What runs, where, and what went wrong last; with the state of each sink."""
    from millrace.errors import MillraceError
    from millrace.local import stack

    stack_status = stack.stack_status()
    stack_status["sinks"] = []
    if stack_status["phase"] == "running":
        from millrace.lake import sink
        from millrace.workloads import load_workloads

        try:
            stack_status["sinks"] = [sink.sink_status(name) for name in load_workloads()]
        except MillraceError as error:
            stack_status["sinks_error"] = error.message
    emit(stack_status, as_json, lambda: make_status_table(stack_status))
    if not as_json:
        if "sinks_error" in stack_status:
            err.print(f"The sinks can't be asked: {stack_status['sinks_error']}", markup=False)
        for sink_status in stack_status["sinks"]:
            tasks = ", ".join(
                f"task {task['id']} {task['state']} {task['cause'] or ''}" for task in sink_status["tasks"]
            )
            err.print(f"{sink_status['connector']}: {sink_status['state']}; {tasks or 'no task'}")
    if stack_status["phase"] != "running":
        raise typer.Exit(5)


@handle_errors
def doctor(
    cluster: Annotated[bool, typer.Option(help="Examine the release on the cluster that kubectl points at.")] = False,
    namespace: Annotated[str, typer.Option(help="With --cluster.")] = "millrace",
    release: Annotated[str, typer.Option(help="With --cluster.")] = "millrace",
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="With --cluster: wait so long until all of a new release is there.")
    ] = 0.0,
    only: Annotated[list[str] | None, typer.Option(help="One check; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Prove that S3 honours conditional writes, the catalog answers, the clocks agree, and more; each with its cure."""
    from millrace.doctor import CHECKS, examine

    names = [name for name, _, _ in CHECKS]
    if unknown := [name for name in only or () if name not in names]:
        allowed = ", ".join(names)
        raise BadInputError(f"--only {unknown[0]!r} is not usable; allowed: {allowed}.", field="only", allowed=allowed)
    if cluster:
        from millrace.doctor.cluster import examine_cluster
        from millrace.doctor.release_wait import wait_for_release

        if wait:
            wait_for_release(namespace, release, wait)
        findings = examine_cluster(namespace, release)
    else:
        findings = examine(only or ())
    rows = [
        ["ok" if finding["ok"] else "FAULT", finding["check"], finding["found"], finding["cure"]]
        for finding in findings
    ]
    emit(findings, as_json, lambda: make_table(None, "", "check", "found", "cure", rows=rows))
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(5)
    if cluster and wait:
        from millrace.doctor.release_wait import find_address

        err.print(f"It is all there. Ask it:\n{find_address(namespace, release)}")


@handle_errors
def serve() -> None:
    """Serve the champions over HTTP in the foreground."""
    from millrace.api.serve import serve as run

    run()
