"""Topics: create, list."""

from typing import Any

import typer
from rich.table import Table

from millrace.cli.output import Json, emit, handle_errors, make_table
from millrace.cli.workload_names import Names, select_workloads

topics_app = typer.Typer(no_args_is_help=True, help="Create or list the topics of workloads.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(topics_app, name="topics")


def make_topics_table(topics: list[dict[str, Any]]) -> Table:
    """A row for each topic."""
    rows = [[topic["topic"], topic["partitions"] or "missing", topic["messages"], topic["keeps"]] for topic in topics]
    return make_table(None, "topic", "partitions", "messages", "keeps", rows=rows)


@topics_app.command("create", epilog="Example: `millrace topics create urls`")
@handle_errors
def create(names: Names = None, as_json: Json = False) -> None:
    """Create the topics that are missing, with partitions and retention; of existing ones only the clock is set."""
    from millrace.messaging.topics import describe_topics, ensure_topics

    wanted = select_workloads(names)
    made = set(ensure_topics(wanted))
    topics = [topic | {"created": topic["topic"] in made} for topic in describe_topics(wanted)]
    emit(topics, as_json, lambda: make_topics_table(topics))


@topics_app.command("list", epilog="Example: `millrace topics list urls --json`")
@handle_errors
def list_topics(names: Names = None, as_json: Json = False) -> None:
    """The topics of workloads: partitions, messages that they hold, and what is kept of them."""
    from millrace.messaging.topics import describe_topics

    topics = describe_topics(select_workloads(names))
    emit(topics, as_json, lambda: make_topics_table(topics))
