"""The command line: `millrace --help`."""

from millrace.cli.main import main

__all__ = ["main"]
