"""The tier of a test follows from the fixtures it asks for, so that nobody has to remember a marker.

| tier     | a test is in it when                          | run by                           |
|----------|-----------------------------------------------|----------------------------------|
| check    | it starts no engine                           | make check, make test, test-all  |
| test     | it asks for `engines`: a broker, Spark, an S3 | make test, make test-all         |
|          | server, a browser, Terraform; or it reads the |                                  |
|          | real files                                    |                                  |
| cluster  | it asks for `cluster`                         | make test-cluster, make test-all |
| thorough | it says so: `@pytest.mark.thorough`           | make test-all                    |

A test that starts an engine without asking for the fixture fails at once, whatever tier is run.
"""

import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SLOW = Path(__file__).with_name("slow.toml")
BUDGET_S = {"check": 5.0, "test": 60.0}
"""Seconds that a test may take in its tier without a place in slow.toml."""
CLUSTER_TIMEOUT_S = 2700
"""Seconds that a test of a cluster may take: the first one waits for the images, which a new machine builds first."""
ENGINES = {"java", "minio", "weed", "chromium", "chromedriver", "terraform", "spark-submit", "kubectl", "containerd"}
NO_JVM = "-agentlib:ask-for-the-fixture-engines"
"""A JVM that is given this option ends before it has begun, also one that a child of the test starts."""
FIRST = ("tests/pipeline/test_training.py", "tests/online", "tests/terraform")
"""What begins on a fresh stack, in this order, as later tests move what these have trained; and what waits longest."""
WHOLE = ("tests/terraform",)
"""Folders that run in one process: what their first test makes, their last takes down."""

_running: list[str] = []
_too_slow: dict[str, float] = {}


def asks_for(item: pytest.Item, fixture: str) -> bool:
    """Whether a test asks for a fixture, itself or by way of another."""
    return fixture in getattr(item, "fixturenames", ())


def may_start_engines(item: pytest.Item) -> bool:
    """Whether a test has said that it starts engines, by the fixture or by the marker of a parameter."""
    return asks_for(item, "engines") or item.get_closest_marker("engines") is not None


def tier_of(item: pytest.Item) -> str:
    """The one tier of a collected test."""
    if item.get_closest_marker("thorough"):
        return "thorough"
    if asks_for(item, "cluster"):
        return "cluster"
    return "test" if may_start_engines(item) or item.get_closest_marker("real_data") else "check"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with its tier and with what runs in one process with it, before xdist reads its group."""
    tier, stack = tier_of(item), asks_for(item, "stack")
    item.user_properties.append(("tier", tier))
    item.add_marker(tier)
    if asks_for(item, "cluster"):
        item.add_marker("cluster")  # also of one that is thorough: they run one after the other
        item.add_marker(pytest.mark.timeout(CLUSTER_TIMEOUT_S))
    if stack:
        item.add_marker("stack")
    item.add_marker(pytest.mark.xdist_group(_group(item.nodeid, stack)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let start first what takes longest: the tests of the stack, then those of other engines."""
    items.sort(key=_place)


def _group(name: str, stack: bool) -> str:
    """What runs in one process: the tests of the stack, of a folder that is whole, else those of a file."""
    if stack:
        return "stack"
    return next((folder for folder in WHOLE if name.startswith(folder)), name.partition("::")[0])


def _place(item: pytest.Item) -> tuple[int, int]:
    """Where a test stands in the run; of equal places the one that was collected first."""
    first = next((number for number, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))
    if item.get_closest_marker("stack"):
        return 0, first
    return 2 if item.get_closest_marker("check") else 1, first


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test of the tier `check` start no JVM, however deep below it."""
    if may_start_engines(item):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", NO_JVM)
        _running.append(item.nodeid)
        try:
            return (yield)
        finally:
            _running.pop()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _running:
        executable, command = arguments[0], arguments[1]
        programs = {Path(os.fsdecode(one)) for one in (executable, command[0] if command else None) if one}
        # A test may put a program of its own in an engine's place.
        if names := {one.name for one in programs if tempfile.gettempdir() not in str(one)} & ENGINES:
            raise RuntimeError(f"{_running[-1]} starts {names}: it must ask for the fixture `engines`.")


sys.addaudithook(_refuse)


def listed() -> dict[str, str]:
    """The tests that may take longer, by node id without parameters, and why."""
    return tomllib.loads(SLOW.read_text()) if SLOW.is_file() else {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that took longer than its tier allows. A shared fixture's start is not the first test's fault."""
    budget = BUDGET_S.get(dict(report.user_properties).get("tier", ""))
    if report.when == "call" and budget is not None and report.duration > budget:
        name = report.nodeid.partition("[")[0].partition("@")[0]
        _too_slow[name] = max(report.duration, _too_slow.get(name, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that took longer than their tier allows and are not listed with a reason."""
    known = listed()
    if unknown := {name: seconds for name, seconds in _too_slow.items() if name not in known}:
        terminalreporter.section("slower than their tier allows, and not in tests/slow.toml")
        for name, seconds in sorted(unknown.items()):
            terminalreporter.line(f"{seconds:6.1f} s  {name}")
