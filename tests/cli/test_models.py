"""`millrace models`: what people and programs are told of champions and pins."""

import json
import uuid
from typing import Any

import pytest
from typer.testing import CliRunner

from millrace.api.routes.models import summarise
from millrace.api.schemas import ModelSummary
from millrace.cli.main import app
from millrace.registry.registry import Registry
from millrace.serving.kinds.clusters import LoadedClusters
from tests.registry.made import made
from tests.registry.servers import memory_s3, settings_of

MODEL = "courses/popularity"


@pytest.fixture(scope="module")
def s3_variables(tmp_path_factory):
    with memory_s3(tmp_path_factory.mktemp("s3")) as variables:
        yield variables


@pytest.fixture
def versions(s3_variables):
    """Two versions, of which the later one is the champion."""
    with settings_of(s3_variables | {"MILLRACE_MODELS_BUCKET": f"test-{uuid.uuid4().hex[:12]}"}):
        registry = Registry()
        registry.store.ensure_bucket()
        result = [registry.publish(*made(*MODEL.split("/"), seed)).version for seed in (1, 2)]
        for version in result:
            registry.promote(*MODEL.split("/"), version)
        yield result


def run(*arguments: str) -> str:
    """What `millrace models ...` prints, in one line."""
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def run_json(*arguments: str) -> Any:
    """What `millrace models ... --json` prints."""
    return json.loads(run(*arguments, "--json"))


def test_rollback_pins_and_says_what_lifts_the_pin(versions):
    sentence = run("rollback", MODEL)
    assert sentence.startswith(f"{MODEL} serves {versions[0]} again, pinned to {versions[0]} since 20")
    assert sentence.endswith(f"by rollback; `millrace models unpin {MODEL}` lifts it")
    listed = {row["version"]: (row["champion"], row["pin"] and row["pin"]["by"]) for row in run_json("list", "courses")}
    assert listed == {versions[0]: (True, "rollback"), versions[1]: (False, None)}
    assert "champion, pinned" in run("list", "courses")
    assert run_json("show", MODEL)["pin"]["by"] == "rollback"
    assert (run_json("show", MODEL, versions[1])["champion"], run_json("show", MODEL, versions[1])["pin"]) == (
        False,
        None,
    )


def test_unpin_says_whether_there_was_a_pin(versions):
    assert run_json("pin", MODEL)["pin"]["by"] == "pin"
    assert run("unpin", MODEL) == f"{MODEL} is no longer pinned: trainings promote again; it serves {versions[1]}"
    assert run("unpin", MODEL) == f"{MODEL} was not pinned; it serves {versions[1]}"
    assert run_json("unpin", MODEL)["lifted_pin"] is None


def test_promotion_lifts_the_pin_and_says_so(versions):
    run("pin", MODEL, versions[0])
    sentence = run("promote", MODEL, versions[1])
    assert sentence.startswith(f"{MODEL} serves {versions[1]}; the pin to {versions[0]} (pin, 20")
    assert sentence.endswith("is lifted, and trainings promote again")
    assert run("promote", MODEL, versions[0]) == f"{MODEL} serves {versions[0]}"
    run("rollback", MODEL)
    answer = run_json("promote", MODEL, versions[0])
    assert (answer["version"], answer["pin"], answer["lifted_pin"]["by"]) == (versions[0], None, "rollback")


def test_pin_is_in_the_listing_of_the_api(versions):
    registry, (workload, model) = Registry(), MODEL.split("/")
    champion = registry.rollback(workload, model)
    served = LoadedClusters(*registry.load(workload, model, champion.version))
    summary = ModelSummary.model_validate(summarise(served, champion))
    assert (summary.version, summary.pin) == (versions[0], champion.pin)
