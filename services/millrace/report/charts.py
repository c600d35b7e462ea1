"""The two charts of the live page as pictures: shares of clusters over time, and messages over time."""

import warnings
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from millrace.errors import BadInputError
from millrace.runtime.text import make_printable

# Those of web/live.css, by cluster number.
COLOURS = (
    *("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951"),
    *("#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"),
)
QUIET, LINE = "#5b6675", "#dfe3e8"
FIGURE_INCHES = (10.0, 3.8)  # inches
DPI = 130
PALE_ALPHA = 0.45
MAX_LABEL = 40  # characters of a label


def step_times(timeline: dict[str, Any]) -> tuple[list[float], float]:
    """Where steps begin, and how wide they are, in Matplotlib's days."""
    if timeline["from"] is None:
        raise BadInputError("The timeline is empty: there is nothing to draw.", field="timeline")
    first, step = datetime.fromisoformat(timeline["from"]), timedelta(seconds=timeline["step"])
    starts = [float(date2num(first + place * step)) for place in range(len(timeline["messages"]))]
    return starts, step / timedelta(days=1)


def draw_shares(timeline: dict[str, Any]) -> bytes:
    """PNG of the share of each cluster by step, stacked."""
    starts, width = step_times(timeline)
    figure, axes = make_canvas()
    below = [0.0] * len(starts)
    for cluster in timeline["clusters"]:
        heights = [
            count / whole if whole else 0.0 for count, whole in zip(cluster["pages"], timeline["messages"], strict=True)
        ]
        # A "$" would begin a formula, a "_" at the begin hide the label: these are words of foreign pages.
        label = " " + make_printable(cluster["label"][:MAX_LABEL]).replace("$", r"\$")
        colour = COLOURS[cluster["cluster"] % len(COLOURS)]
        axes.bar(starts, heights, width, below, align="edge", color=colour, linewidth=0, label=label)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False, fontsize=9)
    return render_png(figure, axes, "Clusters over time", "share of pages")


def draw_messages(timeline: dict[str, Any]) -> bytes:
    """PNG of the pages a second by step."""
    starts, width = step_times(timeline)
    figure, axes = make_canvas()
    rates = [count / timeline["step"] for count in timeline["messages"]]
    bars = axes.bar(starts, rates, width, align="edge", color=COLOURS[0], linewidth=0)
    if timeline["open"]:
        bars[-1].set_alpha(PALE_ALPHA)
    axes.set_ylim(0, max(max(rates) * 1.08, 0.1))
    return render_png(
        figure,
        axes,
        "Messages over time",
        "pages a second; pale: still being filled" if timeline["open"] else "pages a second",
    )


def make_canvas() -> tuple[Figure, Axes]:
    """A figure that no window system and no global state knows of."""
    figure = Figure(figsize=FIGURE_INCHES, dpi=DPI, layout="constrained", facecolor="white")
    return figure, figure.add_subplot()


def render_png(figure: Figure, axes: Axes, title: str, unit: str) -> bytes:
    """The PNG of a chart after its last touches."""
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    axes.set_ylabel(unit, color=QUIET)
    locator = AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axes.set_xlabel("UTC", color=QUIET, loc="left")  # the date is at the right
    axes.margins(x=0)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    content = BytesIO()
    with warnings.catch_warnings():
        # Words in scripts that the font lacks are drawn as boxes; the page beside the chart has them right.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(content, format="png")
    return content.getvalue()
