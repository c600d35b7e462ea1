"""Combines all commands into one application; each group has its own module."""

import typer

from millrace import __version__
from millrace.cli import (
    catalog,
    consume,
    continual,
    data,
    demo,
    evaluation,
    models,
    online,
    platform,
    prove,
    report,
    topics,
    training,
)
from millrace.cli.output import escape_unencodable
from millrace.runtime.logs import start_logging
from millrace.runtime.signals import end_on_sigterm

app = typer.Typer(
    name="millrace",
    help="From Kafka to a served model. Every command takes --json and --help.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 done, 1 a fault of Millrace, 2 bad input, 3 conflict, 4 corrupt data, "
    "5 a dependency is unavailable, 130 interrupted.",
)
for module in (
    platform,
    topics,
    data,
    training,
    models,
    evaluation,
    online,
    continual,
    consume,
    report,
    catalog,
    prove,
    demo,
):
    module.register(app)


def print_version(value: bool) -> None:
    """Print the version and end, where the option is given."""
    if value:
        typer.echo(f"millrace {__version__}")
        raise typer.Exit


@app.callback()
def options(version: bool = typer.Option(False, "--version", callback=print_version, is_eager=True)) -> None:
    """From Kafka to a served model."""


def main() -> None:
    """The command `millrace`."""
    end_on_sigterm()
    escape_unencodable()
    start_logging()
    app()
