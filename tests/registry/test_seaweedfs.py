"""The chart's own object storage holds each component to what it needs."""

from collections.abc import Iterator

import pytest

from millrace.errors import UnavailableError
from millrace.registry.store import ObjectStore
from millrace.rights import COMPONENTS
from tests.registry.deeds import LAKE, MODELS, acting, first_day, publish, with_buckets
from tests.registry.servers import KEY, SECRET, seaweedfs

BUCKETS = {"lake": LAKE, "models": MODELS}


@pytest.fixture(scope="module")
def variables(engines: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where it answers, with both buckets and the users of the chart (tests/chart/test_stores.py compares them)."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    actions: dict[str, list[str]] = {"maker": ["Admin", "Read", "Write", "List"]}
    for component, rights in COMPONENTS.items():
        actions[component] = [f"List:{BUCKETS[bucket]}" for bucket in rights.buckets]
        for verb, places in (("Read", rights.read), ("Write", rights.write)):
            actions[component] += [f"{verb}:{BUCKETS[b]}/{prefix}*" for b, found in places.items() for prefix in found]
    with seaweedfs(actions, folder) as port:
        yield with_buckets(KEY, port, folder, secret=SECRET)


@pytest.fixture(scope="module")
def day(variables: dict[str, str]) -> None:
    first_day(variables)


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_component_does_its_work_and_cannot_write_elsewhere(day: None, variables: dict[str, str], component: str):
    with acting(component, variables):
        for bucket in (LAKE, MODELS):
            with pytest.raises(UnavailableError, match="AccessDenied"):
                ObjectStore(bucket).put("elsewhere/x", b"")
        if component != "train":
            with pytest.raises(UnavailableError, match="AccessDenied"):
                publish()


def test_wrong_secret_grants_no_access(variables: dict[str, str]):
    guessed = variables | {"MILLRACE_S3_SECRET_KEY": "guessed"}
    with acting("train", guessed), pytest.raises(UnavailableError, match="SignatureDoesNotMatch"):
        ObjectStore(MODELS).keys("models/")
