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


def test_without_pytorch_it_names_the_extra():
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
def test_what_can_not_be_done_is_refused_with_what_is_allowed(arguments, field, output):
    code, error = refused(*arguments)
    assert (code, error["field"], error["message"]) == (2, field, output)


def test_the_square_brackets_of_an_extra_reach_the_reader():
    code = WITHOUT.format(["continual", "mooc"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'millrace[neural,api]'" in done.stderr


def test_the_supervisor_leaves_pytorch_to_the_workers():
    code = "import sys, millrace.neural.continual.supervise; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pyspark", "fastapi"} & set(done.stdout.split())
