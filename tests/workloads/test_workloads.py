"""What a workload declares, and how one is found."""

import os
import subprocess
import sys

import pytest

from millrace.errors import NotFoundError
from millrace.workloads import find_workload, load_workloads
from millrace.workloads.naming import SCALES, make_scale


def test_a_workload_is_found_by_its_name():
    assert find_workload("courses").name == "courses"


def test_a_workload_in_another_module_is_found():
    assert "rentals" in load_workloads()


def test_a_name_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(NotFoundError, match=r"no workload 'course'; allowed: catalogue, courses") as refused:
        find_workload("course")
    assert refused.value.field == "workload"


def test_only_chosen_workloads_are_in_use():
    code = "from millrace.workloads import load_workloads; print(*load_workloads())"
    for chosen, words in (("products", "products"), ("rentals, courses", "courses rentals")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"MILLRACE_WORKLOADS": chosen},
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == words.split(), done.stderr


def test_a_choice_of_a_workload_that_is_none_is_refused():
    command = [sys.executable, "-m", "millrace.cli", "validate", "courses", "-", "--json"]
    done = subprocess.run(
        command, env=os.environ | {"MILLRACE_WORKLOADS": "course"}, capture_output=True, text=True, input=""
    )
    assert done.returncode == 2
    assert f"MILLRACE_WORKLOADS names 'course'; allowed: {', '.join(load_workloads())}." in done.stdout + done.stderr


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_identity_watched_fields_and_models_are_those_of_the_record(result):
    assert {*result.identity, *result.watched} <= set(result.fields)
    assert result.key == result.identity[0]
    assert {endpoint.model for endpoint in result.endpoints} <= {model.name for model in result.models}
    assert {name for endpoint in result.endpoints for name in endpoint.optional} <= set(result.fields)


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_a_recommender_learns_from_events_whose_identity_holds_what_it_reads(result):
    for model in result.recommenders:
        assert result.events
        assert {model.user, model.item, model.time} <= set(result.identity)
        assert model.session is None or model.session in result.identity
        assert set(model.labels) <= set(result.fields)
        assert model.names is None or model.names[1:] == tuple(find_workload(model.names[0]).fields[:2])


@pytest.mark.parametrize("result", load_workloads().values(), ids=load_workloads())
def test_every_number_of_clusters_to_try_has_as_many_different_names(result):
    for model in result.clusterings:
        for k in model.k:
            assert all(len(set(names)) == len(names) == k for names in model.names(k).values())


def test_a_model_that_is_none_is_none():
    assert find_workload("courses").model("weight") is None


@pytest.mark.parametrize("k", [*SCALES, 9, 12])
def test_a_scale_names_every_step_once(k):
    names = make_scale("price")(k)["label"]
    assert len(set(names)) == k
    assert all(name.endswith(" price") for name in names)
