"""Incoming records: generate, validate, ingest, rejected."""

import gc
import random
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from millrace.cli.output import Json, emit, err, handle_errors, make_table, progress_bar
from millrace.cli.workload_names import Names, select_workloads
from millrace.records.lines import escape
from millrace.records.writer import write_csv
from millrace.workloads import find_workload

Name = Annotated[str, typer.Argument(metavar="WORKLOAD", help="courses, products, ...")]
File = Annotated[
    str, typer.Argument(metavar="FILE", help="CSV or JSON lines, also packed as gz, bz2 or xz; - is standard input.")
]
Limit = Annotated[int | None, typer.Option(help="Read at most this many rows.")]
REMARKS = {
    "renamed": "Columns read under the name of a field: {}.",
    "ignored": "Columns that are not read: {}.",
    "lacking": "Optional columns that the source lacks: {}.",
    "changed": "The file was written to while it was read: run the command again once it is complete.",
}
rejected_app = typer.Typer(no_args_is_help=True, help="Count, list or replay rejected rows.")


def make_counts_table(counts: dict[str, Any]) -> Table:
    """What became of the rows of a source."""
    rows = [["read", counts["read"]], ["accepted", counts["accepted"]]]
    rows += [[f"rejected: {code}", number] for code, number in counts["rejected"].items()]
    rows += [["duplicates", counts["duplicates"]], ["conflicts", counts["conflicts"]]]
    rows += [["of these repaired", counts["repaired"]]] if counts.get("repaired") else []
    return make_table(f"{counts['workload']}", "rows", "count", rows=rows)


def print_remarks(counts: dict[str, Any]) -> None:
    """What the counts don't tell of a source: columns that are not read, not there or spelled otherwise."""
    # A receipt may be older than these keys.
    for name, sentence in REMARKS.items():
        if value := counts.get(name):
            names = [f"{column} as {read}" for column, read in value.items()] if isinstance(value, dict) else value
            err.print(sentence.format(", ".join(names) if isinstance(names, list) else ""), markup=False)
    if counts["read"] == 0:
        err.print("The source has no rows, only a header or blank lines.", markup=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(epilog="Example: `millrace generate courses --rows 4000 --seed 7 --out courses.csv`")(generate)
    app.command(epilog="Example: `millrace validate courses udemy_courses.csv --json`")(validate)
    app.command(
        epilog="Examples: `millrace ingest courses courses.csv`; "
        "`zcat big.csv.gz | millrace ingest courses - --rate 100/s --random-pauses`"
    )(ingest)
    app.add_typer(rejected_app, name="rejected")


@handle_errors
def generate(
    name: Name,
    rows: Annotated[int, typer.Option(min=1, help="How many rows.")] = 4000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 7,
    out: Annotated[Path, typer.Option(help="The CSV file to write; .gz is compressed.")] = Path("/dev/stdout"),
    as_json: Json = False,
) -> None:
    """Make records of a workload's shape and dirt, as CSV."""
    workload = find_workload(name)
    with progress_bar(f"generating {name}") as progress:
        made = workload.generate(random.Random(seed), rows)
        write_csv(out, workload.fields, made, lambda number: progress(number, rows))
    if out != Path("/dev/stdout"):
        result = {"workload": name, "rows": rows, "seed": seed, "out": escape(str(out))}
        emit(result, as_json, lambda: f"{rows} rows of {name} in {escape(str(out))}")


@handle_errors
def validate(name: Name, file: File, limit: Limit = None, as_json: Json = False) -> None:
    """Count what ingest would accept, reject and drop as duplicates, without publishing."""
    from millrace.ingest import publish
    from millrace.ingest.remote import fetch_source

    publish.check_limit(limit)
    with fetch_source(file) as local, progress_bar(f"validating {name}", "bytes") as progress:
        counts = publish.validate_source(
            find_workload(name), local, limit, lambda c, s: progress(s.position or c.read, s.size)
        )
    result = counts.as_dict()
    emit(result, as_json, lambda: make_counts_table(result))
    if not as_json:
        print_remarks(result)


@handle_errors
def ingest(
    name: Name,
    file: File,
    rate: Annotated[str | None, typer.Option(help="Replay as a live source: 100/s, 30/m.")] = None,
    random_pauses: Annotated[bool, typer.Option(help="With --rate: pauses as independent arrivals have.")] = False,
    limit: Limit = None,
    again: Annotated[bool, typer.Option(help="Publish although this very file was ingested before.")] = False,
    as_json: Json = False,
) -> None:
    """Check every row of a source and publish it to Kafka, acknowledged by all replicas."""
    from millrace.ingest import publish
    from millrace.ingest.pace import parse_rate as parsed
    from millrace.ingest.remote import fetch_source

    publish.check_limit(limit)
    workload, per_second = find_workload(name), parsed(rate) if rate else None
    # What waits for its acknowledgement holds no cycles: looking through it again and again costs a fifth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with fetch_source(file) as local, progress_bar(f"ingesting {name}", "bytes") as progress:
        result = publish.ingest_source(
            workload,
            local,
            limit=limit,
            per_second=per_second,
            random_pauses=random_pauses,
            again=again,
            progress=lambda counts, source: progress(source.position or counts.read, source.size),
        )
    if result["already"] and not as_json:
        err.print("This very file was ingested before; nothing was published (--again does it anyway).")
    emit(result, as_json, lambda: make_counts_table(result))
    if not as_json:
        print_remarks(result)
    if result.get("interrupted"):
        err.print(f"interrupted after row {result['read']}; run the same command again for the rest")
        sys.exit(130)


@rejected_app.command("count", epilog="Examples: `millrace rejected count`; `millrace rejected count courses`")
@handle_errors
def rejected_count(names: Names = None, as_json: Json = False) -> None:
    """Rejected rows by reason code; as JSON by workload too, unless exactly one is named."""
    from millrace.ingest import rejected_rows

    counts = {workload.name: rejected_rows.count_rejected(workload) for workload in select_workloads(names)}
    rows = [[name, code, number] for name, codes in counts.items() for code, number in codes.items()]
    result = counts[names[0]] if names and len(names) == 1 else counts
    emit(result, as_json, lambda: make_table(None, "workload", "reason", "rows", rows=rows))


@rejected_app.command("list", epilog="Example: `millrace rejected list courses --json | jq .[0].raw`")
@handle_errors
def rejected_list(
    names: Names = None,
    limit: Annotated[int, typer.Option(min=1, help="The most rows of a workload.")] = 20,
    as_json: Json = False,
) -> None:
    """Rejected rows with workload, reason, position and raw text."""
    from itertools import islice

    from millrace.ingest import rejected_rows

    wanted = select_workloads(names)
    rows = [
        row | {"workload": workload.name}
        for workload in wanted
        for row in islice(rejected_rows.list_rejected(workload), limit)
    ]
    cells = [[row["workload"], row["row"], row["code"], row["message"], row["raw"].strip()[:120]] for row in rows]
    emit(rows, as_json, lambda: make_table(None, "workload", "row", "reason", "what", "raw", rows=cells))


@rejected_app.command("replay", epilog="Example: `millrace rejected replay courses` after a rule was mended")
@handle_errors
def rejected_replay(name: Name, as_json: Json = False) -> None:
    """Check rejected rows again, with the workload's repair, and publish those that pass now."""
    from millrace.ingest import rejected_rows

    result = rejected_rows.replay_rejected(find_workload(name))
    sentence = f"{result['replayed']} rows replayed as {result['recovered']} records; still rejected: "
    emit(
        result,
        as_json,
        lambda: sentence + (str(result["still_rejected"]) if result["still_rejected"] else "none"),
    )
