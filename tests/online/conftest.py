"""A champion whose recommendations follow posted events."""

import pytest

from millrace.registry.registry import Registry, champion_key
from tests.online.live_api import NAME, every, serves, until


@pytest.fixture(scope="module")
def champion(trained):
    """(manifest, arrays) of a champion of mooc whose links grow, served by all workers.

    Afterwards the champion is as it was: the gate of a later training must not be held against this one.
    """
    result, registry = trained[NAME], Registry()
    before = registry.champion("mooc", "recommendations")
    manifest, arrays = registry.load("mooc", "recommendations", result["version"])
    assert manifest.parameters["live"]["share"], f"the recipe has no transitions: {result}"
    registry.promote("mooc", "recommendations", result["version"])
    until(serves(manifest.version), "the champion is served")
    until(every(lambda item: item["live"]["mooc"]["staleness"] is not None), "the updater follows")
    yield manifest, arrays
    if before is None:
        registry.store.delete(champion_key("mooc", "recommendations"))
    else:
        # A test rolls back, which pins the champion that it goes back to.
        registry.promote("mooc", "recommendations", before.version, lift_pin=True)
