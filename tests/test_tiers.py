"""A test's tier follows from its fixtures, and an engine that a test starts behind their back fails it."""

import ast

import pytest

from tests.conftest import ROOT
from tests.tiers import listed

pytest_plugins = ["pytester"]

FIXTURES = """
import pytest

@pytest.fixture
def engines(): pass

@pytest.fixture
def stack(engines): pass

@pytest.fixture
def cluster(engines): pass
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a file of tests under tests/tiers.py, as the project's own are."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("JAVA_TOOL_OPTIONS")  # of this test, which is one of the tier check itself
    markers = "".join(f"    {name}: x\n" for name in ("check", "test", "cluster", "thorough", "stack", "real_data"))
    pytester.makeini(f"[pytest]\nmarkers =\n    engines: x\n{markers}")
    pytester.makeconftest(FIXTURES)

    def run(text: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", "tests.tiers", *arguments)

    return run


@pytest.mark.parametrize(
    ("tier", "names"),
    [
        ("check", ["test_plain"]),
        ("test", ["test_with_engines", "test_with_stack", "test_with_real_files"]),
        ("check or test", ["test_with_engines", "test_with_real_files", "test_with_stack", "test_plain"]),
        ("cluster and not thorough", ["test_with_cluster"]),
        ("thorough and not cluster", ["test_with_many_kills"]),
        ("cluster", ["test_with_rollout", "test_with_cluster"]),
    ],
)
def test_tier_of_test_follows_from_its_fixtures(run, tier, names):
    done = run(
        """
import pytest
def test_plain(): pass
def test_with_engines(engines): pass
def test_with_stack(stack): pass
def test_with_cluster(cluster): pass
@pytest.mark.real_data
def test_with_real_files(): pass
@pytest.mark.thorough
def test_with_many_kills(stack): pass
@pytest.mark.thorough
def test_with_rollout(cluster): pass
""",
        "-m",
        tier,
        "-v",
    )
    done.assert_outcomes(passed=len(names), deselected=7 - len(names))
    for name in names:
        done.stdout.fnmatch_lines([f"*::{name} PASSED*"])


def test_engine_started_without_its_fixture_fails_the_test(run):
    done = run(
        """
import subprocess
def test_plain(): subprocess.run(["java", "-version"])
def test_with_engines(engines):
    try: subprocess.run(["java", "-version"], capture_output=True)
    except FileNotFoundError: pass
"""
    )
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*test_plain starts*java*must ask for the fixture `engines`*"])


def test_jvm_started_by_child_process_exits_immediately(run):
    done = run(
        """
import os, sys, subprocess
CODE = "import os; print(os.environ.get('JAVA_TOOL_OPTIONS'))"
def test_plain():
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True).stdout
    assert said.startswith("-agentlib:")
def test_with_engines(engines): assert "JAVA_TOOL_OPTIONS" not in os.environ
"""
    )
    done.assert_outcomes(passed=2)


def test_every_listed_slow_test_exists_and_has_a_reason():
    for name, reason in listed().items():
        file, _, function = name.partition("::")
        functions = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if hasattr(node, "name")}
        assert function in functions, f"{name} is not there any more"
        assert len(reason) > 20, f"{name} has no reason"


def test_unlisted_slow_test_is_reported(run):
    done = run(
        """
import time
import tests.tiers
tests.tiers.BUDGET_S["check"] = 0.01
def test_slow(): time.sleep(0.1)
"""
    )
    done.stdout.fnmatch_lines(["*slower than their tier allows*", "*test_unlisted_slow_test_is_reported.py::test_slow"])
