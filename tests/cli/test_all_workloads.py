"""Commands that list and tidy mean all workloads where none is named."""

import json

import pytest
from typer.testing import CliRunner

from millrace.cli.main import app
from millrace.ingest import rejected_rows
from millrace.registry.registry import Registry
from millrace.workloads import load_workloads
from tests.registry.made import made
from tests.registry.servers import memory_s3, settings_of

MODELS = [("courses", "price"), ("products", "discount"), ("rentals", "size")]


def millrace(*arguments: str):
    """The parsed JSON of a command that is to succeed, run in this process."""
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """The versions of three workloads by model, in a registry of this module's own."""
    with memory_s3(tmp_path_factory.mktemp("registry")) as variables, settings_of(variables):
        registry = Registry()
        registry.store.ensure_bucket()
        yield {f"{name}/{model}": registry.publish(*made(name, model)).version for name, model in MODELS}


@pytest.mark.parametrize("names", [[], ["products"], ["rentals", "courses"]])
def test_models_list_shows_versions_of_named_or_all_workloads(versions, names):
    listed = {entry["model"]: entry["version"] for entry in millrace("models", "list", *names)}
    assert listed == {model: one for model, one in versions.items() if not names or model.split("/")[0] in names}


@pytest.fixture
def rows(monkeypatch):
    """Rejected rows by workload, of which the broker is not asked."""
    kept = {"courses": ["bad_date", "bad_date"], "urls": ["bad_url"]}

    def read(workload):
        for number, code in enumerate(kept.get(workload.name, [])):
            yield {"row": number, "code": code, "message": "wrong", "raw": "raw"}

    monkeypatch.setattr(rejected_rows, "list_rejected", read)


def test_rejected_rows_are_counted_for_one_workload_or_per_workload(rows):
    assert millrace("rejected", "count", "courses") == {"bad_date": 2}
    counts = millrace("rejected", "count")
    assert counts.keys() == load_workloads().keys()
    assert (counts["courses"], counts["urls"], counts["shop"]) == ({"bad_date": 2}, {"bad_url": 1}, {})


def test_rejected_rows_are_listed_with_their_workload(rows):
    listed = millrace("rejected", "list", "--limit", "1")
    assert [(row["workload"], row["code"]) for row in listed] == [("courses", "bad_date"), ("urls", "bad_url")]
    assert len(millrace("rejected", "list", "courses")) == 2


def test_compact_defaults_to_all_workloads(monkeypatch):
    started = []
    monkeypatch.setattr("millrace.cli.training.run_spark", lambda script, arguments: started.append(arguments) or [])
    assert millrace("compact") == []
    assert millrace("compact", "courses") == []
    assert started == [[*load_workloads(), "--keep-days=7.0"], ["courses", "--keep-days=7.0"]]
