"""What every command shares: `--json`, tables, progress, and errors as one sentence with an exit code."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from millrace.errors import MillraceError, Unavailable
from millrace.runtime.permissions import explain_denied

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
WIDTH = None if sys.stdout.isatty() else 160  # a file or a pipe has no width of its own
out = Console(width=WIDTH, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
UNREADABLE = Unavailable.exit_code
SILENT = 5  # seconds between two progress lines where there is no terminal


def emit(value: object, as_json: bool, table: Callable[[], Table | str] | None = None) -> None:
    """The result: as JSON, or as people read it."""
    if as_json or table is None:
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
    else:
        out.print(table())


def grid(title: str | None, *columns: str, rows: list[list[Any]]) -> Table:
    """A table for people; None is shown as -."""
    made = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*("-" if cell is None else str(cell) for cell in row))
    return made


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Errors of our own become one sentence and their exit code; with `--json`, the API's error body."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except MillraceError as error:
            if kwargs.get("as_json"):
                emit({"error": error.as_dict()}, True)
            else:
                err.print(f"[bold red]error:[/] {escape(error.message)}", markup=True)
            raise typer.Exit(error.exit_code) from None
        except PermissionError as error:
            if not error.filename:
                raise
            err.print(f"[bold red]error:[/] {escape(explain_denied(Path(os.fsdecode(error.filename))))}", markup=True)
            raise typer.Exit(UNREADABLE) from None
        except KeyboardInterrupt:
            err.print("interrupted")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise typer.Exit(141) from None

    return run


@contextmanager
def bar(text: str, unit: str = "rows") -> Iterator[Callable[[float, float | None], None]]:
    """A progress bar on a terminal, a line every few seconds elsewhere; called with (done, total)."""
    if err.is_terminal:
        amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        with Progress(TextColumn(text), BarColumn(), amount, TimeRemainingColumn(), console=err) as progress:
            task = progress.add_task(text)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def line(done: float, total: float | None) -> None:
        nonlocal last
        if time.monotonic() - last >= SILENT:
            last = time.monotonic()
            share = f" of {total:,.0f} ({done / total:.0%})" if total else ""
            err.print(f"{text}: {done:,.0f}{share} {unit}")

    yield line
