"""What a workload declares, and how one is found."""

import os
import subprocess
import sys

import pytest

from millrace.errors import NotFoundError
from millrace.workloads import find_workload, load_workloads
from millrace.workloads.naming import SCALES, make_scale


def test_workload_is_found_by_name():
    assert find_workload("courses").name == "courses"


def test_workload_in_another_module_is_found():
    assert "rentals" in load_workloads()


def test_unknown_workload_name_is_rejected_with_available_names():
    with pytest.raises(NotFoundError, match=r"no workload 'course'; allowed: catalogue, courses") as refused:
        find_workload("course")
    assert refused.value.field == "workload"


def test_only_selected_workloads_are_loaded():
    code = "from millrace.workloads import load_workloads; print(*load_workloads())"
    for chosen, words in (("products", "products"), ("rentals, courses", "courses rentals")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"MILLRACE_WORKLOADS": chosen},
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == words.split(), done.stderr


def test_selecting_unknown_workload_is_rejected():
    command = [sys.executable, "-m", "millrace.cli", "validate", "courses", "-", "--json"]
    done = subprocess.run(
        command, env=os.environ | {"MILLRACE_WORKLOADS": "course"}, capture_output=True, text=True, input=""
    )
    assert done.returncode == 2
    assert f"MILLRACE_WORKLOADS names 'course'; allowed: {', '.join(load_workloads())}." in done.stdout + done.stderr


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_identity_watched_fields_and_endpoint_models_exist(result):
    assert {*result.identity, *result.watched} <= set(result.fields)
    assert result.key == result.identity[0]
    assert {endpoint.model for endpoint in result.endpoints} <= {model.name for model in result.models}
    assert {name for endpoint in result.endpoints for name in endpoint.optional} <= set(result.fields)


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_recommender_learns_from_events_with_its_fields_in_identity(result):
    for model in result.recommenders:
        assert result.events
        assert {model.user, model.item, model.time} <= set(result.identity)
        assert model.session is None or model.session in result.identity
        assert set(model.labels) <= set(result.fields)
        assert model.names is None or model.names[1:] == tuple(find_workload(model.names[0]).fields[:2])


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_every_candidate_k_has_k_distinct_cluster_names(result):
    for model in result.clusterings:
        for k in model.k:
            assert all(len(set(names)) == len(names) == k for names in model.names(k).values())


def test_unknown_model_returns_none():
    assert find_workload("courses").model("weight") is None


@pytest.mark.parametrize("k", [*SCALES, 9, 12])
def test_scale_gives_every_step_a_unique_name(k):
    names = make_scale("price")(k)["label"]
    assert len(set(names)) == k
    assert all(name.endswith(" price") for name in names)
