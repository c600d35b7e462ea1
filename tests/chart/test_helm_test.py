"""What `helm test` and Prometheus do, done to a real API with the keys that the chart makes."""

import base64
import os
import subprocess
import sys

import httpx
import pytest

from tests.api.conftest import fresh, s3_variables, variables  # noqa: F401
from tests.api.server import serving
from tests.chart.render import CHART, pick, render

AUTH = {"api": {"auth": {"enabled": True}}}


@pytest.fixture(scope="module")
def keys():
    """The data of the secret."""
    secret = pick(render(AUTH, only="api"), "Secret")
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def asked(server, **environment):
    """The script of the test pod, as that pod runs it."""
    container = pick(render(only="tests"), "Pod")["spec"]["containers"][0]
    assert container["command"] == ["python", "-c"]
    return subprocess.run(
        [sys.executable, "-c", *container["args"]],
        env={**os.environ, "API": server.url, "SECONDS": "12", **environment},
        capture_output=True,
        text=True,
    )


def test_pod_script_matches_file():
    (script,) = pick(render(only="tests"), "Pod")["spec"]["containers"][0]["args"]
    assert script.strip() == (CHART / "files/tests/ask_api.py").read_text().strip()


def test_pod_sets_variables_that_script_reads():
    plain, keyed = (pick(render(values, only="tests"), "Pod")["spec"]["containers"][0] for values in ({}, AUTH))
    assert {item["name"] for item in plain["env"]} == {"API", "SECONDS"}
    assert {item["name"] for item in keyed["env"]} == {"API", "SECONDS", "API_KEYS"}
    assert plain["env"][0]["value"] == "http://millrace-api:80"


def test_serving_api_passes_and_lists_its_versions(variables, tmp_path):  # noqa: F811
    with serving(variables, tmp_path, "/health/ready") as server:
        done = asked(server)
    assert done.returncode == 0, done.stderr
    assert "courses/popularity serves 2" in done.stdout


def test_keys_are_sent_and_missing_keys_are_detected(variables, keys, tmp_path):  # noqa: F811
    with serving(variables | {"MILLRACE_API_KEYS": keys["keys"]}, tmp_path, "/health/ready") as server:
        assert asked(server, API_KEYS=keys["keys"]).returncode == 0
        refused = asked(server)
        scraped = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {keys['metrics-key']}"})
    assert refused.returncode == 1
    assert "names no model: 401" in refused.stderr
    assert "millrace_model_version" in scraped.text


def test_api_that_fails_to_require_keys_is_detected(variables, tmp_path):  # noqa: F811
    with serving(variables, tmp_path, "/health/ready") as server:
        done = asked(server, API_KEYS="a,b")
    assert "without a key got 200 instead of 401" in done.stderr


def test_api_without_model_fails_with_specific_reason(fresh, tmp_path):  # noqa: F811
    with serving(fresh, tmp_path) as server:
        done = asked(server)
    assert done.returncode == 1
    assert "no model has a champion yet" in done.stderr
