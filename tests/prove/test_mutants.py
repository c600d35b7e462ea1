"""Every mutant of Millrace is caught by a run against it."""

import ast
import os
import shutil
import subprocess
import sys

import orjson
import pytest

from tests.conftest import ROOT
from tests.prove.mutants import MUTANTS, Mutant

TIMEOUT_S = 840


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_changes_exactly_its_text_and_is_still_a_program(mutant: Mutant):
    original = mutant.path.read_text()
    patched = mutant.patch(original)
    assert patched != original
    ast.parse(patched)


def test_there_are_at_least_ten_mutants_of_different_names():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 10


@pytest.mark.skip(reason="no seed has been proved on a real stack yet, so a mutant proves nothing")
@pytest.mark.thorough
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(engines, tmp_path, mutant: Mutant):
    services = tmp_path / "services"
    shutil.copytree(ROOT / "services", services, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(ROOT / "spark-apps", tmp_path / "spark-apps")
    mutant.apply(services)
    file = tmp_path / "schedule.json"
    mutant.schedule.save(file)
    command = [sys.executable, "-m", "millrace.cli", "prove", "--replay", str(file), "--shrink-runs", "0", "--json"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(services)},
        cwd=tmp_path,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-2000:].decode()
    broken = orjson.loads(done.stdout)["broken"]
    assert broken.keys() & mutant.rules, broken
