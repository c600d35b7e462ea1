"""The cluster of the tests: found, given operators or their stand-in, and the chart installed once for this folder.

Needs helm, kubectl and a KUBECONFIG, or the cluster tool with its cluster up; skipped with a reason otherwise. On a
cluster of your own the images come from where MILLRACE_TEST_REGISTRY and MILLRACE_TEST_TAG say (`make images`).
What takes minutes and has a smaller sibling elsewhere is marked `thorough`; `make test-all` runs it.
MILLRACE_TEST_KEEP=1 leaves the release installed at the end, and goes on with it in the next run.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import images
from tests.cluster.release import CHART, PREVIOUS, ROOT, WORKLOADS, Release
from tests.cluster.standin.operator import Operator, running
from tests.cluster.standin.volumes import CLASS
from tests.cluster.tools import Failed, Space, run
from tests.cluster.upgrade import Upgrade

NAMESPACE = os.environ.get("MILLRACE_TEST_NAMESPACE", "millrace")
CRDS = ROOT.parent / "shared/crds"
OPERATORS = {"strimzi-cluster-operator", "spark-operator-controller"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = [position for position, item in enumerate(items) if "tests/cluster" in str(item.path)]
    mine = [items[position] for position in places]
    # The last of them takes the release away.
    mine.sort(key=lambda item: item.path.name == "test_upgrades.py")
    for position, item in zip(places, mine, strict=True):
        items[position] = item


@pytest.fixture(scope="package")
def cluster(engines: None) -> None:
    """A cluster that answers; the programs to ask it are on PATH."""
    if (program := images.tool()) and "KUBECONFIG" not in os.environ:
        lines = subprocess.run([program, "env"], capture_output=True, text=True, check=True).stdout
        print_all = f'{lines}\nprintf "%s\\n%s" "$KUBECONFIG" "$PATH"'
        os.environ["KUBECONFIG"], os.environ["PATH"] = run("bash", "-c", print_all).split("\n")
    for name in ("kubectl", "helm"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    if "KUBECONFIG" not in os.environ:
        pytest.skip("KUBECONFIG names no cluster")
    try:
        run("kubectl", "get", "--raw", "/readyz", "--request-timeout=10s")
    except Failed:
        cure = f"; `{program} up` starts one" if program else ""
        pytest.skip(f"the cluster of {os.environ['KUBECONFIG']} does not answer{cure}")


@pytest.fixture(scope="package")
def bare(cluster: None) -> Path | None:
    """The cluster tool, where this machine is its node; there NetworkPolicies are enforced from now on."""
    program = images.tool()
    if program is None or not os.environ["KUBECONFIG"].startswith(str(_home(program))):
        return None
    run(str(program), "policies")
    return program


@pytest.fixture(scope="package")
def loaded_images(bare: Path | None) -> list[str]:
    """All images are in the nodes, or can be pulled; the helm settings that name them."""
    registry, tag = (os.environ.get(f"MILLRACE_TEST_{name}") for name in ("REGISTRY", "TAG"))
    if registry or bare is None:
        return ["--set", f"image.registry={registry or 'localhost'},image.tag={tag or 'dev'}"]
    images.build(bare)
    return ["--set", "image.registry=localhost,image.tag=dev,image.pullPolicy=Never"]


def _home(program: Path) -> str:
    """The folder of the tool's own kubeconfig."""
    return run("bash", "-c", f'eval "$({program} env)"; dirname "$KUBECONFIG"').strip()


@pytest.fixture(scope="package")
def space(cluster: None) -> Iterator[Space]:
    """An empty namespace that enforces Pod Security "restricted"."""
    namespace = Space(NAMESPACE)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    if "MILLRACE_TEST_KEEP" not in os.environ:
        run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")
    namespace.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    yield namespace
    if "MILLRACE_TEST_KEEP" not in os.environ:
        run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="package")
def operators(space: Space, loaded_images: list[str], bare: Path | None) -> Iterator[Operator | None]:
    """The real operators where they run, else their stand-in (which is what the fixture gives then)."""
    deployed = json.loads(run("kubectl", "get", "deployments", "-A", "-o", "json"))["items"]
    if {result["metadata"]["name"] for result in deployed} >= OPERATORS:
        yield None
        return
    if not CRDS.is_dir():
        pytest.skip("neither Strimzi nor spark-operator runs here, and ../shared/crds has no definitions to stand in")
    run("kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    run("kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    with running(space.name, images.KAFKA, "localhost/millrace-ingest:dev", disks=bare is not None) as result:
        yield result


@pytest.fixture(scope="package")
def previous() -> None:
    """Asked for by tests that need the release to begin with the chart's previous version."""


@pytest.fixture(scope="package")
def release(
    request: pytest.FixtureRequest,
    space: Space,
    operators: Operator | None,
    loaded_images: list[str],
    bare: Path | None,
) -> Iterator[Release]:
    """The chart, installed; its parts are up, its trainings wait. It begins with the previous version where a test of
    the run asks for `previous`, else with that of now."""
    first = PREVIOUS if any("previous" in item.fixturenames for item in request.session.items) else CHART
    result = Release(space.name, loaded_images, first)
    if bare and "MILLRACE_TEST_REGISTRY" not in os.environ:
        result.stores = {
            "catalog": "localhost/millrace-test-postgres:dev",
            "storage.seaweedfs": "localhost/millrace-test-seaweedfs:dev",
            "storage.minio": "localhost/millrace-test-minio:dev",
        }
    if operators and bare:
        result.disks = CLASS
    try:
        # As documented: trainings come with everything else, and wait for their rows. The former chart's can't wait.
        result.trains_first = result.chart == CHART and not result.was_there
        result.deploy(*(["--set", "training.suspend=false"] if result.trains_first else []))
        if result.trains_first:
            result.await_arrival()
        result.up()
        yield result
    finally:
        result.close()


@pytest.fixture(scope="package")
def filled(release: Release) -> dict[str, dict]:
    """The counts of the chart's ingest jobs, whose rows are all in the lake."""
    counts = {}
    for workload in WORKLOADS:
        job = release.all("job", f"millrace.io/ingest={workload}")[0]["metadata"]["name"]
        counts[workload] = release.finished(job)
        release.landed(workload, counts[workload]["accepted"])
    return counts


@pytest.fixture(scope="package")
def upgraded(release: Release, filled: dict[str, dict]) -> Upgrade | None:
    """The upgrade from the previous chart, courses trained; None where the release began with the chart of now."""
    if release.chart == CHART:
        return None
    release.train("courses")
    release.serves()
    before = release.holds()
    release.chart = CHART
    release.deploy()  # trains nothing, so that models stay the same
    release.up()
    release.serves()
    # Now: helm keeps ten revisions, and a run makes more.
    charts = [revision["chart"] for revision in json.loads(release.helm("history", "-o", "json"))]
    return Upgrade(before, release.holds(), charts)


@pytest.fixture(scope="package")
def served(release: Release, upgraded: Upgrade | None) -> Release:
    """The release with the chart of now, models that it has trained, and an API that answers."""
    if release.trains_first:
        for workload in WORKLOADS:
            release.trained(f"millrace-train-{workload}")
    else:
        release.train()
    release.serves()
    return release
