"""What a training is asked to do reaches it whole, from the command line through arguments to the fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.cli.main import app
from millrace.errors import BadInputError, NotFoundError
from millrace.neural.candidates import NETWORK_NAMES
from millrace.training.options import WINDOWS, Pace, TrainingOptions, TrainingRequest

paces = st.builds(Pace, rows=st.integers(1, 10_000)) | st.builds(Pace, seconds=st.integers(1, 10_000))
options = st.builds(
    TrainingOptions,
    models=st.just(()) | st.just(("price", "trend")),
    windows=st.lists(st.sampled_from(WINDOWS), max_size=3).map(tuple),
    snapshot_id=st.none() | st.integers(1).map(str),
    accept_gaps=st.booleans(),
    networks=st.lists(st.sampled_from(NETWORK_NAMES), max_size=3).map(tuple),
    fresh=st.booleans(),
)


@given(options, st.none() | paces, st.floats(0, 1e6))
def test_every_option_round_trips_through_script_arguments(options, pace, wait_s):
    if options.snapshot_id and pace:
        return
    request = TrainingRequest(("courses",), options, pace, wait_s)
    assert TrainingRequest.parse(request.to_arguments()) == request


def test_command_line_passes_all_options_to_training_with_follow(monkeypatch):
    from typer.testing import CliRunner

    requests = []
    monkeypatch.setattr("millrace.cli.training.run_training", lambda request: requests.append(request) or [])
    command = "train courses products --follow --every 5m --accept-gaps --fresh --network fm --window 1/3 --window all"
    assert CliRunner().invoke(app, [*command.split(), "--wait", "30"]).exit_code == 0
    options = TrainingOptions(windows=("1/3", "all"), accept_gaps=True, networks=("fm",), fresh=True)
    assert requests == [TrainingRequest(("courses", "products"), options, Pace(seconds=300), 30.0)]


def test_snapshot_with_follow_is_rejected():
    with pytest.raises(
        BadInputError, match=r"--snapshot '17' is not usable with --follow, .* Leave out --follow"
    ) as refused:
        TrainingRequest.parse(["courses", "--snapshot", "17", "--follow"])
    assert refused.value.field == "snapshot"


@pytest.mark.parametrize("seconds", ["-1", "inf", "nan"])
def test_wait_must_be_finite_and_non_negative(seconds):
    with pytest.raises(BadInputError, match=f"--wait {seconds} is not usable; allowed: seconds, 0 or more"):
        TrainingRequest.parse(["courses", f"--wait={seconds}"])


def test_pace_without_follow_is_rejected():
    with pytest.raises(BadInputError, match="--every '10m' is not usable without --follow") as refused:
        TrainingRequest.parse(["courses", "--every", "10m"])
    assert refused.value.field == "every"


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (["cources"], NotFoundError, "There is no workload 'cources'"),
        (
            ["courses", "--model", "prize"],
            NotFoundError,
            "There is no model 'courses/prize'; allowed: courses/popularity",
        ),
        (["courses", "--window", "1/2"], BadInputError, "--window '1/2' is not a window; allowed: 1/3, 2/3, all"),
        (
            ["courses", "--network", "gpt"],
            BadInputError,
            "--network 'gpt' is not a network; allowed: sasrec, bert4rec, fm",
        ),
    ],
)
def test_invalid_argument_is_reported_before_spark_starts(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        TrainingRequest.parse(arguments)
