"""Five seeds against the real stack: everything that was promised holds."""

import os
import subprocess
import sys

import orjson
import pytest

from tests.conftest import ROOT

SEEDS = (1, 2, 3, 5, 7)
TIMEOUT_S = 840


@pytest.mark.skip(reason="no seed has been proved on a real stack yet")
@pytest.mark.thorough
@pytest.mark.parametrize("seed", SEEDS)
def test_seed_is_proved(engines, tmp_path, seed: int):
    command = [sys.executable, "-m", "millrace.cli", "prove", "--seed", str(seed), "--minutes", "1", "--json"]
    done = subprocess.run(
        [*command, "--shrink-runs", "0", "--out", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "services")},
        cwd=tmp_path,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:].decode() + done.stderr[-2000:].decode()
    certificate = orjson.loads(done.stdout)
    assert certificate["result"] == "proved"
    assert certificate["counts"]["events acknowledged"] > 50
    assert certificate["counts"]["lake rows"] >= certificate["counts"]["events acknowledged"]
    assert sum(certificate["faults"].values()) + len(certificate["faults_failed"]) > 0
