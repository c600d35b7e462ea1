"""`millrace demo`: from a file to a served answer for every workload, with a summary table."""

import random
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from millrace.cli.data import make_counts_table
from millrace.cli.demo_events import post_events, print_live, wait_for_pages
from millrace.cli.demo_questions import api_url, ask_questions, key_header
from millrace.cli.models import format_quality
from millrace.cli.output import Json, emit, err, handle_errors, make_table, out, progress_bar
from millrace.cli.platform import start_stack
from millrace.cli.training import make_results_table, run_training
from millrace.errors import NotFoundError, UnavailableError
from millrace.records.writer import write_csv
from millrace.runtime import http
from millrace.settings import settings
from millrace.workloads import load_workloads
from millrace.workloads.base import Workload

ROWS, SEED = 4000, 7
WINDOWS = ("1/3", "2/3", "all")
SERVE_TIMEOUT_S = 60  # seconds for the API to take up the champions


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(epilog="Examples: `millrace demo`; `millrace demo --data FOLDER` with the real files")(demo)


@handle_errors
def demo(
    data: Annotated[Path | None, typer.Option(help="A folder with real files, found by name; else generated.")] = None,
    as_json: Json = False,
) -> None:
    """Start the stack, ingest, land, train, serve and ask; a second run repeats only what is new."""
    if data is not None and not data.is_dir():
        raise NotFoundError(f"--data {data} is not a folder.", field="data")
    from millrace.training.options import TrainingOptions, TrainingRequest

    started = time.monotonic()
    start_stack()
    wanted = list(load_workloads().values())
    counts, files = [], {}
    for workload in wanted:
        files[workload.name] = find_source(workload, data)
        counts.append(ingest_file(workload, files[workload.name]))
    landed = {workload.name: wait_for_landing(workload) for workload in wanted}
    due = [
        candidate
        for candidate, ingest in zip(wanted, counts, strict=True)
        if landed[candidate.name]["rows"] and needs_training(candidate, ingest["offsets"])
    ]
    trained = []
    for windows in (WINDOWS, WINDOWS[-1:]):
        if names := [workload.name for workload in due if select_windows(workload) == windows]:
            trained += list(run_training(TrainingRequest(tuple(names), TrainingOptions(windows=windows))))
    if not due:
        err.print("every model was trained on these snapshots before; nothing is trained again")
    champions = wait_for_champions()
    result = {
        "counts": counts,
        "lake": landed,
        "trained": trained,
        "champions": champions,
        "pages": [wait_for_pages(candidate, landed[candidate.name]["rows"]) for candidate in wanted if candidate.pages],
        **ask_after_events(wanted, files),
        "urls": list_urls(),
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        emit(result, True)
        return
    print_result(result)


def ask_after_events(wanted: list[Workload], files: dict[str, Path]) -> dict[str, list[dict[str, Any]]]:
    """{"events", "answers"}: every answer is from after the events, below which it is shown."""
    events = [event for workload in wanted for event in post_events(workload, files[workload.name])]
    answers = [answer for workload in wanted for answer in ask_questions(workload, files[workload.name], events)]
    return {"events": events, "answers": answers}


def find_source(workload: Workload, data: Path | None) -> Path:
    """The workload's real file in `data`, or a generated one, which is the same every time."""
    if data is not None:
        path = next((data / name for name in workload.files if (data / name).is_file()), None)
        if path is None:
            raise NotFoundError(
                f"{data} has no file of {workload.name}; allowed: {', '.join(workload.files)}.", field="data"
            )
        return path
    file = settings().home / "demo" / f"{workload.name}-{ROWS}-{SEED}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_csv(file, workload.fields, workload.generate(random.Random(SEED), ROWS))
    return file


def ingest_file(workload: Workload, file: Path) -> dict[str, Any]:
    """The counts of a file after its ingest; a file that was ingested before publishes nothing."""
    from millrace.ingest.publish import ingest_source

    with progress_bar(f"ingesting {workload.name}", "bytes") as progress:
        result = ingest_source(workload, str(file), progress=lambda counts, src: progress(src.position, src.size))
    if result["already"]:
        err.print(f"{file.name} was ingested before; nothing was published")
    return result | {"file": file.name}


def wait_for_landing(workload: Workload) -> dict[str, Any]:
    """Wait until the lake holds every published record."""
    from millrace.lake.progress import wait_until_landed
    from millrace.lake.tables import load_table

    with progress_bar(f"landing {workload.name}") as progress:
        rows = wait_until_landed(workload, progress=progress)
    snapshot = load_table(workload.name).current_snapshot()
    return {"rows": rows, "snapshot_id": str(snapshot.snapshot_id) if snapshot else None}


def select_windows(workload: Workload) -> tuple[str, ...]:
    """Clusters are shown as they change with the stream; a recommender is trained on all of it, once."""
    return WINDOWS if workload.clusterings or workload.pages else WINDOWS[-1:]


def needs_training(workload: Workload, offsets: dict[str, list[int]]) -> bool:
    """Whether a model or window has no version, of the contract of now, that has read all these offsets."""
    from millrace.records.contract import compute_schema_hash
    from millrace.registry.registry import Registry

    registry = Registry()
    for model in workload.models:
        windows: dict[str, set[str]] = {}
        for manifest in registry.manifests(workload.name, model.name):
            if manifest.schema_hash == compute_schema_hash(workload.record):
                whole, read = manifest.data.window == WINDOWS[-1], manifest.data.offsets
                if not whole or all(read.get(part, (0, -1))[1] >= last for part, (_, last) in offsets.items()):
                    windows.setdefault(manifest.data.snapshot_id, set()).add(manifest.data.window)
        if not any(found.issuperset(select_windows(workload)) for found in windows.values()):
            return True
    return False


def wait_for_champions() -> list[dict[str, Any]]:
    """The champions as the API serves them, once it has taken up all of the registry's."""
    from millrace.registry.registry import Registry

    registry = Registry()
    expected = {
        f"{workload.name}/{model.name}": champion.version
        for workload in load_workloads().values()
        for model in workload.models
        if (champion := registry.champion(workload.name, model.name))
    }
    deadline = time.monotonic() + SERVE_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            models = http.get(f"{api_url()}/v1/models", headers=key_header(), timeout=5).json()
            if {model["model"]: model["version"] for model in models} == expected:
                return models
        except (httpx.HTTPError, ValueError):
            pass  # the API is starting, or a worker is being replaced
        time.sleep(0.2)
    raise UnavailableError(
        f"The API at {api_url()} did not take up the champions within {SERVE_TIMEOUT_S} s; `millrace status`."
    )


def list_urls() -> dict[str, str]:
    """Where to look at what the demo has started."""
    return {
        "api": api_url(),
        "docs": f"{api_url()}/docs",
        "ready": f"{api_url()}/health/ready",
        "metrics": f"{api_url()}/metrics",
    }


def print_result(result: dict[str, Any]) -> None:
    """Print the demo's result for people."""
    for counts in result["counts"]:
        out.print(make_counts_table(counts), "")
    rows = [[name, found["rows"], found["snapshot_id"]] for name, found in result["lake"].items()]
    out.print(make_table("lake", "workload", "rows", "snapshot", rows=rows), "")
    if result["trained"]:
        out.print(make_results_table(result["trained"]), "")
    rows = [[entry["model"], entry["version"], format_quality(entry["metrics"])] for entry in result["champions"]]
    out.print(make_table("served", "model", "version", "quality", rows=rows), "")
    print_live(result["pages"], result["events"])
    rows = []
    for entry in result["answers"]:
        answer = entry["answer"][0] if isinstance(entry["answer"], list) else entry["answer"]
        if "items" in answer:
            names = ", ".join(item["name"] for item in answer["items"][:3])
            rows.append([f"GET {entry['path']}", answer["fallback"], names, f"{answer['items'][0]['score']:.3f}"])
            continue
        if "months" in answer:
            whole = answer["total"]
            summary = f"{len(answer['months'])} months, {whole['orders']} orders, revenue {whole['revenue']:,.2f}"
            rows.append([f"GET {entry['path']}", None, summary, None])
            continue
        rows.append([f"POST {entry['path']}", answer["cluster"], answer["label"], f"{answer['distance']:.3f}"])
    out.print(make_table("answers", "path", "cluster", "answer", "distance or score", rows=rows), "")
    out.print(make_table(None, "where", "URL", rows=[[*item] for item in result["urls"].items()]), "")
    out.print(f"{result['seconds']} s; `make stop` ends it.")
