"""A wrong clock for one process, never for the machine: libfaketime reads the offset from a file, at every call."""

import sysconfig
from collections.abc import Iterable
from pathlib import Path

LIBRARY = "libfaketimeMT.so.1"
NEEDED_BY = ("api", "online")
"""Children of the stack that run under it from their start. JVMs do not: their timers go wrong with it."""


def library_folders() -> list[Path]:
    """Where distributions put the library."""
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    return [Path(base) / triplet / "faketime" for base in ("/usr/lib", "/usr/local/lib")] + [
        Path(base) / "faketime" for base in ("/usr/lib", "/usr/lib64", "/usr/local/lib")
    ]


def find_library(folders: Iterable[Path] | None = None) -> Path | None:
    """The library for programs with threads; None where it is not installed."""
    places = library_folders() if folders is None else folders
    return next((folder / LIBRARY for folder in places if (folder / LIBRARY).is_file()), None)


class OffsetClocks:
    """One file per child, which says how far its clock is off; right until somebody says otherwise."""

    def __init__(self, folder: Path, library: Path):
        self._folder, self._library = folder, library

    def make_environment(self, child: str) -> dict[str, str]:
        """The variables that a child starts with."""
        self.set_offset(child, 0)
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(child)),
            "FAKETIME_NO_CACHE": "1",
            # Timeouts and pauses are measured by this one.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_offset(self, child: str, seconds: int) -> None:
        """So many seconds ahead of the machine's clock, or behind it where negative."""
        # Written whole in one call: a reader never sees half a number.
        self._file(child).write_text(f"{seconds:+d}\n")

    def _file(self, child: str) -> Path:
        return self._folder / f"clock-{child}"
