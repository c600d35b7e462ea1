"""The API behind an ingress controller, asked by the name that the Ingress gives it."""

import json
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.cluster.release import QUESTION, Release
from tests.cluster.tools import run, wait

CONTROLLER = "app.kubernetes.io/name=traefik"
"""That of `make kind-up`."""
HOST = "millrace.localhost"


@pytest.fixture(scope="module")
def outside(served: Release) -> Iterator[str]:
    """The address of the controller."""
    result = json.loads(run("kubectl", "get", "pods", "-A", "-l", CONTROLLER, "-o", "json"))["items"]
    if not result:
        pytest.skip("no ingress controller runs here: `make kind-up` installs Traefik, which a bare cluster lacks")
    space, name = result[0]["metadata"]["namespace"], result[0]["metadata"]["name"]
    port = next(one["containerPort"] for one in result[0]["spec"]["containers"][0]["ports"] if one["name"] == "web")
    command = ["kubectl", "-n", space, "port-forward", f"pod/{name}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            output = forward.stdout.readline()
            yield f"http://127.0.0.1:{output.split(' ->')[0].rpartition(':')[2]}"
        finally:
            forward.terminate()


def test_api_answers_under_its_hostname(outside: str):
    def answer() -> httpx.Response | None:
        reply = httpx.post(f"{outside}/course_popularity", json=QUESTION, headers={"Host": HOST}, timeout=10)
        return reply if reply.status_code == 200 else None

    assert wait("an answer through the controller", 60, answer).json()["model"] == "courses/popularity"


def test_api_answers_under_no_other_hostname(outside: str):
    answer = httpx.post(f"{outside}/course_popularity", json=QUESTION, headers={"Host": "example.com"}, timeout=10)
    assert answer.status_code == 404
