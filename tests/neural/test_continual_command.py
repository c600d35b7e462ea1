"""`millrace continual` before it begins: what it needs and what it does not; runs without PyTorch too."""

import json
import subprocess
import sys

import pytest

WITHOUT = (
    "import sys; sys.modules['torch'] = None; from millrace.cli import main; sys.argv = ['millrace', *{!r}]; main()"
)


def refused(*arguments: str) -> tuple[int, dict]:
    """(exit code, error) of the command in an environment without PyTorch."""
    code = WITHOUT.format(["continual", *arguments, "--json"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return done.returncode, json.loads(done.stdout)["error"]


def test_missing_pytorch_is_reported_with_extra_to_install():
    code, error = refused("mooc")
    assert (code, error["code"]) == (2, "no_torch")
    assert "pip install 'millrace[neural,api]'" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "field", "output"),
    [
        (["urls"], "model", "urls has no recommender; allowed: none."),
        (["mooc", "--model", "other"], "model", "mooc has no recommender 'other'; allowed: recommendations."),
        (["mooc", "--network", "fm"], "network", "unknown network 'fm'; choose one of sasrec, bert4rec."),
        (["mooc", "--workers", "0"], "workers", "--workers 0 is not usable; allowed: 1 or more."),
    ],
)
def test_invalid_arguments_are_rejected_with_allowed_values(arguments, field, output):
    code, error = refused(*arguments)
    assert (code, error["field"], error["message"]) == (2, field, output)


def test_square_brackets_in_extra_name_are_printed():
    code = WITHOUT.format(["continual", "mooc"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'millrace[neural,api]'" in done.stderr


def test_supervisor_leaves_importing_pytorch_to_workers():
    code = "import sys, millrace.neural.continual.supervise; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pyspark", "fastapi"} & set(done.stdout.split())
