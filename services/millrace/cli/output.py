"""Shared by all commands: `--json`, tables, progress, and errors as one sentence with an exit code.

Output may contain untrusted text, so it is printed literally; our own markup is passed as `Text`.
"""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from millrace.errors import MillraceError, UnavailableError
from millrace.runtime.permissions import explain_denied
from millrace.runtime.text import dump_json, make_printable

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
CONSOLE_WIDTH = None if sys.stdout.isatty() else 160  # a file or a pipe has no width of its own

PROGRESS_INTERVAL_S = 5  # seconds between two progress lines where there is no terminal


class PlainConsole(Console):
    """Prints text as text: neither markup nor escape sequences in it are obeyed."""

    def print(self, *objects: Any, **options: Any) -> None:
        shown = (Text(make_printable(one, newlines=True)) if isinstance(one, str) else one for one in objects)
        super().print(*shown, **options)


out = PlainConsole(width=CONSOLE_WIDTH, highlight=False, markup=False, emoji=False)
err = PlainConsole(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def escape_unencodable() -> None:
    """Let standard output and error write escapes for what their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(value: object, as_json: bool, table: Callable[[], Table | str] | None = None) -> None:
    """The result: as JSON, or as people read it."""
    if as_json or table is None:
        sys.stdout.write(dump_json(value, indent=True, encoding=sys.stdout.encoding) + "\n")
    else:
        out.print(table())


def make_table(title: str | None, *columns: str, rows: list[list[Any]]) -> Table:
    """A table for people; None is shown as -."""
    heading = None if title is None else Text(make_printable(title, newlines=True))
    made = Table(title=heading, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        made.add_column(Text(make_printable(column)), overflow="fold")
    for row in rows:
        made.add_row(*(Text("-" if cell is None else make_printable(str(cell))) for cell in row))
    return made


def emit_line(value: object) -> None:
    """A result as a line of JSON, at once."""
    sys.stdout.write(dump_json(value, encoding=sys.stdout.encoding) + "\n")
    sys.stdout.flush()


def explain_denied_files(
    command: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """What the command returns.

    Raises UnavailableError that names a file which belongs to another user, with the cure.
    """
    try:
        return command(*args, **kwargs)
    except PermissionError as error:
        if not error.filename:
            raise
        raise UnavailableError(explain_denied(Path(os.fsdecode(error.filename))), code="file_denied") from error


def handle_errors(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Errors of our own become one sentence and their exit code; with `--json`, the API's error body."""

    @wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return explain_denied_files(command, *args, **kwargs)
        except MillraceError as error:
            if kwargs.get("as_json"):
                emit({"error": error.as_dict()}, True)
            else:
                err.print(Text.assemble(("error:", "bold red"), f" {make_printable(error.message, newlines=True)}"))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            err.print("interrupted")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise typer.Exit(141) from None

    return run


@contextmanager
def progress_bar(text: str, unit: str = "rows") -> Iterator[Callable[[float, float | None], None]]:
    """A progress bar on a terminal, a line every few seconds elsewhere; called with (done, total)."""
    if err.is_terminal:
        amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        label = TextColumn("{task.description}", markup=False)
        with Progress(label, BarColumn(), amount, TimeRemainingColumn(), console=err) as progress:
            task = progress.add_task(make_printable(text))
            yield lambda done, total: progress.update(task, completed=done, total=total)
        return
    last = time.monotonic()

    def line(done: float, total: float | None) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_INTERVAL_S:
            last = time.monotonic()
            share = f" of {total:,.0f} ({done / total:.0%})" if total else ""
            err.print(f"{text}: {done:,.0f}{share} {unit}")

    yield line
