"""The OpenAPI document is true: requests made from it are answered as it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.workloads import load_workloads

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_every_legacy_path_is_documented_with_its_errors(api):
    document = api.get("/openapi.json").json()
    for workload in load_workloads().values():
        for endpoint in workload.endpoints:
            operation = document["paths"][endpoint.path]["post"]
            assert {"200", "413", "422", "503"} <= set(operation["responses"])
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema["type"] == ("array" if endpoint.many else "object")


def test_every_reference_in_document_resolves(api):
    text = api.get("/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    names = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= set(schemas)
    assert "#/$defs" not in text


def test_documentation_page_is_served(api):
    assert "openapi.json" in api.get("/docs").text


@pytest.mark.parametrize("phases", ["examples,coverage", pytest.param("fuzzing", marks=pytest.mark.thorough)])
def test_requests_generated_from_document_are_answered_as_documented(server, tmp_path, phases):
    # A list over its limit is answered 413, which schemathesis does not take for a refusal on its own.
    statuses = "[400, 401, 403, 404, 405, 406, 413, 422]"
    config = tmp_path / "schemathesis.toml"
    config.write_text(f"[checks.negative_data_rejection]\nexpected-statuses = {statuses}\n")
    command = [SCHEMATHESIS, "--config-file", config, "run", f"{server.url}/openapi.json", "--max-examples", "12"]
    command += ["--generation-deterministic", "--request-timeout", "10", "--suppress-health-check", "all", "--no-color"]
    # A string such as "x" fits a number's schema, which can't say how numbers are written; it is refused all the same.
    command += ["--exclude-checks", "positive_data_acceptance", "--phases", phases]
    # A stream has no end to wait for; tests/api/test_streams.py listens to it.
    command += ["--exclude-path-regex", "/live/events$"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
