"""The workflows of GitHub, which can't run here: what they name exists, and they can do no more than they need."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "millrace/bin"
PINNED_ACTION = re.compile(r"(?P<action>[\w.-]+/[\w./-]+)@(?P<commit>[0-9a-f]{40})  # v\d+\.\d+\.\d+")
MAKE_COMMAND = re.compile(r"(?:^|[\s;&`])make((?: [^\s;&|`]+)+)", re.M)
TARGET = re.compile(r"^([a-z-]+):", re.M)

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    """The workflow. YAML 1.1 reads its key `on` as true."""
    return yaml.safe_load(path.read_text())


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job["steps"]


def targets(script: str) -> set[str]:
    """The targets that the `make` commands of a script name, without options and variables."""
    words = [word for arguments in MAKE_COMMAND.findall(script) for word in arguments.split()]
    return {word for word in words if re.fullmatch("[a-z][a-z-]*", word)}


def makefile_targets() -> set[str]:
    return set(TARGET.findall((ROOT / "Makefile").read_text()))


def test_make_targets_are_parsed_without_variables_and_options():
    assert targets('cd x && make -s minio helm TAG="$TAG" && echo make\nmake test-all ARGS=tests/cluster') == {
        "minio",
        "helm",
        "test-all",
    }


def test_three_workflows_exist():
    assert {path.stem for path in WORKFLOWS} >= {"check", "test", "kind"}


@each_workflow
def test_every_make_target_used_by_workflow_exists(path: Path):
    named = set().union(*(targets(step.get("run", "")) for step in steps(path)))
    assert named, f"{path.name} runs no make target"
    assert named <= makefile_targets()


@each_workflow
def test_every_action_is_pinned_to_commit_with_version_comment(path: Path):
    lines = [line.partition("uses:")[2].strip() for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    assert [line for line in lines if not PINNED_ACTION.fullmatch(line)] == []


def test_action_is_pinned_to_same_commit_in_all_workflows():
    used = {match.group() for path in WORKFLOWS for match in PINNED_ACTION.finditer(path.read_text())}
    actions = sorted(line.partition("@")[0] for line in used)
    assert actions == sorted(set(actions))


@each_workflow
def test_workflow_has_read_only_repository_access(path: Path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert [name for name, job in workflow["jobs"].items() if "permissions" in job] == []
    assert "pull_request_target" not in workflow[True]
    assert "secrets." not in path.read_text()


@each_workflow
def test_checkout_does_not_persist_credentials(path: Path):
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@each_workflow
def test_newer_run_cancels_older_run_of_same_pull_request(path: Path):
    concurrency = load(path)["concurrency"]
    assert "github.ref" in concurrency["group"]
    assert "pull_request" in concurrency["cancel-in-progress"]


@each_workflow
def test_every_job_has_a_time_limit_and_a_pinned_runner(path: Path):
    for name, job in load(path)["jobs"].items():
        assert 0 < job.get("timeout-minutes", 0) <= 120, f"{path.name}, {name}: timeout-minutes"
        assert not job["runs-on"].endswith("-latest"), f"{path.name}, {name}: runs-on"


def test_actionlint_reports_no_errors():
    program = shutil.which("actionlint") or shutil.which("actionlint", path=CACHE)
    if program is None:
        pytest.skip("actionlint is not here: `make actionlint` builds it with Go")
    done = subprocess.run([program, "-no-color", *WORKFLOWS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_make_target_and_link_in_top_level_document_exists(name: str):
    text = (ROOT / name).read_text()
    code = re.findall(r"`make [^`]+`|^ {4}make .+$", text, re.M)
    assert targets("\n".join(line.partition("#")[0].strip(" `") for line in code)) <= makefile_targets()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
