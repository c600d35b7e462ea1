"""What a training is asked to do: one object from the command line to the fit, and the arguments it travels as between.

The command line, spark-apps/train.py and the training itself share these fields, so that an option can't get lost on
the way: arguments are written and read by going through the fields.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from millrace.errors import BadInputError
from millrace.neural.candidates import NETWORK_NAMES
from millrace.workloads import find_model, find_workload
from millrace.workloads.base import Model, Workload

WINDOWS = ("1/3", "2/3", "all")
DEFAULT_PACE = "1000rows"
Value = TypeVar("Value")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Pace:
    """How often a training that follows the lake trains again: every so many new rows, or every so many seconds."""

    rows: int | None = None
    seconds: int | None = None

    def __str__(self) -> str:
        return f"{self.rows}rows" if self.rows else f"{self.seconds}s"

    @classmethod
    def parse(cls, text: str) -> "Pace":
        """From `1000rows` or `10m`. Raises BadInputError."""
        rows = re.fullmatch(r"(\d+)\s*rows?", text)
        span = re.fullmatch(r"(\d+)\s*([smhd])", text)
        if rows and int(rows[1]):
            return cls(rows=int(rows[1]))
        if span and int(span[1]):
            return cls(seconds=int(span[1]) * UNITS[span[2]])
        raise BadInputError(
            f"--every {text!r} is not usable; allowed: rows such as 1000rows, or a time such as 30s, 10m, 6h.",
            field="every",
            allowed="1000rows, 30s, 10m, 6h",
        )


def read_pace(follow: bool, every: str | None) -> Pace | None:
    """The pace of --follow and --every; None for a single training. Raises BadInputError for --every alone."""
    if follow:
        return Pace.parse(every or DEFAULT_PACE)
    if every is not None:
        raise BadInputError(
            f"--every {every!r} is not usable without --follow; allowed: both or neither. Add --follow to keep "
            "training, or leave out --every to train once.",
            field="every",
            allowed="with --follow",
        )
    return None


def option(flag: str, help: str, default: Value) -> Value:
    """A field with its flag: a tuple's may be given several times, a bool's takes no value."""
    return field(default=default, metadata={"flag": flag, "help": help})


@dataclass(frozen=True)
class TrainingOptions:
    """How a workload is trained, once or each time that a training follows the lake. Raises BadInputError when made."""

    models: tuple[str, ...] = option("--model", "only this model; may be given several times", ())
    windows: tuple[str, ...] = option("--window", "1/3, 2/3 or all (the default); may be given several times", ())
    snapshot_id: str | None = option("--snapshot", "an earlier snapshot's id; default: the newest", None)
    accept_gaps: bool = option("--accept-gaps", "accept the offsets that are missing now, for good", False)
    networks: tuple[str, ...] = option("--network", "for recommenders: try it too; needs the extra `neural`", ())
    fresh: bool = option("--fresh", "page clusters: relearn space and k", False)

    def __post_init__(self) -> None:
        if wrong := [window for window in self.windows if window not in WINDOWS]:
            allowed = ", ".join(WINDOWS)
            raise BadInputError(f"--window {wrong[0]!r} is not a window; allowed: {allowed}.", field="window")
        if wrong := [network for network in self.networks if network not in NETWORK_NAMES]:
            allowed = ", ".join(NETWORK_NAMES)
            sentence = f"--network {wrong[0]!r} is not a network; allowed: {allowed}."
            raise BadInputError(sentence, field="network", allowed=allowed)

    def select_windows(self) -> tuple[str, ...]:
        """The windows in the order given; all records where none is named."""
        return self.windows or ("all",)

    def select_models(self, workload: Workload) -> list[Model]:
        """The named models of a workload; all of them where none is named.

        Raises NotFoundError with what is allowed.
        """
        return [find_model(f"{workload.name}/{name}")[1] for name in self.models] or list(workload.models)


@dataclass(frozen=True)
class TrainingRequest:
    """The workloads to train, how, and whether to follow the lake. Raises BadInputError or NotFoundError when made."""

    workloads: tuple[str, ...]
    options: TrainingOptions = TrainingOptions()
    pace: Pace | None = None
    """How often to train again while following the lake; None is a single training."""
    wait_s: float = 0.0
    """Seconds to wait for the first rows; a training that follows the lake waits for ever."""

    def __post_init__(self) -> None:
        for name in self.workloads:
            self.options.select_models(find_workload(name))
        if not 0 <= self.wait_s < float("inf"):
            raise BadInputError(
                f"--wait {self.wait_s:g} is not usable; allowed: seconds, 0 or more.", field="wait", allowed="0 or more"
            )
        if self.pace and self.options.snapshot_id:
            raise BadInputError(
                f"--snapshot {self.options.snapshot_id!r} is not usable with --follow, which trains on the newest "
                "snapshot each time; allowed: one of the two. Leave out --follow to train once on that snapshot.",
                field="snapshot",
                allowed="without --follow",
            )

    def to_arguments(self) -> list[str]:
        """The arguments of spark-apps/train.py, which `parse` reads."""
        arguments = [*self.workloads]
        for entry in fields(TrainingOptions):
            flag, value = entry.metadata["flag"], getattr(self.options, entry.name)
            if isinstance(value, bool):
                arguments += [flag] if value else []
            else:
                values = value if isinstance(value, tuple) else [value] if value is not None else []
                arguments += [f"{flag}={text}" for text in values]
        arguments += [f"--wait={self.wait_s}"] if self.wait_s else []
        return arguments + (["--follow", f"--every={self.pace}"] if self.pace else [])

    @classmethod
    def parse(cls, arguments: Sequence[str] | None = None) -> "TrainingRequest":
        """From arguments; those of the process by default. Raises BadInputError or NotFoundError."""
        parser = argparse.ArgumentParser(description="Train models on a snapshot of the lake.")
        parser.add_argument("workloads", nargs="+")
        for entry in fields(TrainingOptions):
            flag, text = entry.metadata["flag"], entry.metadata["help"]
            parser.add_argument(flag, dest=entry.name, help=text, **argument_kind(entry))
        parser.add_argument("--follow", action="store_true", help="keep running and train when --every says")
        parser.add_argument("--every", help=f"with --follow: {DEFAULT_PACE} (the default) or 10m")
        parser.add_argument("--wait", type=float, default=0.0, help="seconds to wait for the first rows")
        options_by_name = vars(parser.parse_args(arguments))
        pace, wait_s = (
            read_pace(options_by_name.pop("follow"), options_by_name.pop("every")),
            options_by_name.pop("wait"),
        )
        names = tuple(options_by_name.pop("workloads"))
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options_by_name.items()
        }
        return cls(names, TrainingOptions(**options), pace, wait_s)


def argument_kind(entry: Field[Any]) -> dict[str, Any]:
    """What argparse needs to know of a field."""
    if isinstance(entry.default, bool):
        return {"action": "store_true"}
    return {"action": "append", "default": []} if isinstance(entry.default, tuple) else {"default": entry.default}
