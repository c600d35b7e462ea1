"""Writing the report of a board into a folder."""

from pathlib import Path
from typing import Any, Protocol

from millrace.errors import BadInputError
from millrace.pages.board import Board
from millrace.report.document import render_document

PAGE, SHARES, MESSAGES = "report.html", "clusters.png", "messages.png"


class Charts(Protocol):
    """The module millrace.report.charts, which needs Matplotlib."""

    def draw_shares(self, timeline: dict[str, Any]) -> bytes: ...

    def draw_messages(self, timeline: dict[str, Any]) -> bytes: ...


def import_charts() -> Charts:
    """The module that draws. Raises BadInputError where Matplotlib is not installed."""
    try:
        from millrace.report import charts
    except ImportError:
        raise BadInputError(
            "A report draws with Matplotlib, which is not installed; get the extra: pip install 'millrace[report]'.",
            code="bad_setting",
        ) from None
    return charts


def write_report(workload: str, board: Board, out: Path, minutes: int) -> dict[str, Any]:
    """Write both charts and the page; what was written and of what.

    Raises BadInputError where `out` can't be written.
    """
    charts, timeline = import_charts(), board.timeline(minutes)
    shares, messages = charts.draw_shares(timeline), charts.draw_messages(timeline)
    page = render_document(workload, board.status(), board.clusters(), timeline, shares, messages)
    files = {PAGE: page.encode(), SHARES: shares, MESSAGES: messages}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as error:
        allowed = "a folder that can be made and written to"
        reason = error.strerror or error
        raise BadInputError(f"--out {out}: {reason}; allowed: {allowed}.", field="out", allowed=allowed) from None
    return {
        "workload": workload,
        "from": timeline["from"],
        "to": timeline["to"],
        "pages": sum(timeline["messages"]),
        "clusters": len(timeline["clusters"]),
        "files": [str(out / name) for name in files],
    }
