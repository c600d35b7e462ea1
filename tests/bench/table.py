"""The table of a run: for people on standard output, for programs as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass
class Line:
    """One row of the table. `ratio` says how many times better Millrace is than the peer, whichever way better is."""

    what: str
    reach: float | None
    measured: float | None
    unit: str
    peer: str = "-"
    peer_measured: float | None = None
    less_is_better: bool = False
    detail: dict[str, Any] = field(default_factory=dict)
    """What was measured besides: spread, processor time, conditions."""

    @property
    def ratio(self) -> float | None:
        if not self.measured or not self.peer_measured:
            return None
        return self.peer_measured / self.measured if self.less_is_better else self.measured / self.peer_measured

    @property
    def reached(self) -> bool | None:
        if self.reach is None or self.measured is None:
            return None
        return self.measured <= self.reach if self.less_is_better else self.measured >= self.reach

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "reached": self.reached}


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def show(lines: list[Line], machine: str) -> None:
    table = Table(box=box.SIMPLE, title=machine, title_justify="left", title_style="")
    for name in ("metric", "target", "Millrace", "peer", "ratio"):
        table.add_column(name, justify="left" if name in ("metric", "peer") else "right")
    for line in lines:
        colour = {True: "green", False: "red", None: ""}[line.reached]
        reach = f"{'≤' if line.less_is_better else '≥'} {shown(line.reach, line.unit)}" if line.reach else "-"
        peer = "-" if line.peer == "-" else f"{shown(line.peer_measured, line.unit)}: {line.peer}"
        result = f"[{colour}]{shown(line.measured, line.unit)}[/]" if colour else shown(line.measured, line.unit)
        table.add_row(line.what, reach, result, peer, "-" if line.ratio is None else f"{line.ratio:.3g} x")
    console = Console()
    Console(width=None if console.is_terminal else 160).print(table)
