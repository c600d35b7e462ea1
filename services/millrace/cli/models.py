"""Models: train, list, show, promote, rollback, trace."""

import typer


def register(app: typer.Typer) -> None:
    pass
