"""`millrace prove`: its plan and its refusals, without a stack."""

import orjson
import pytest

from tests.pipeline.command import millrace


def test_plan_prints_the_schedule_that_a_seed_draws(tmp_path):
    code, schedule, _ = millrace("prove", "--seed", "7", "--minutes", "1", "--plan")
    assert code == 0
    assert (schedule["seed"], schedule["seconds"]) == (7, 60.0)
    file = tmp_path / "schedule.json"
    file.write_bytes(orjson.dumps(schedule))
    assert millrace("prove", "--replay", str(file), "--plan")[1] == schedule


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--minutes", "0.1"], "A run of 6 seconds is not usable; allowed: 10 to 86400 seconds."),
        (["--replay", "/no/such.json"], "/no/such.json can't be read: No such file or directory."),
        (["--replay", "x.json", "--seed", "3"], "--replay has a seed and a length of its own"),
        (["--deadline", "0"], "--deadline 0 is not usable; allowed: more than 0, at most 600 seconds."),
    ],
)
def test_what_is_no_run_is_refused_before_anything_starts(arguments, sentence):
    code, body, _ = millrace("prove", *arguments)
    assert code == 2
    assert sentence in body["error"]["message"]
