"""A pinned champion is not replaced by continual training, whatever its gate says."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.neural.continual.publish import VersionPublisher
from millrace.registry.champion import Champion, Pin


@pytest.mark.parametrize("gate", ["passed: better than v1", "passed: better than v0, which a rollback took back"])
def test_version_is_kept_back_with_the_reason_and_the_cure(gate):
    manifest = SimpleNamespace(version="v2", full_name="mooc/recommendations", parameters={"gate": gate})
    champion = Champion("v1", "2026-11-29T05:00:00+00:00", [], "etag", Pin("2026-11-29T06:00:00+00:00", "rollback"))
    publisher = VersionPublisher(None, SimpleNamespace(name="mooc"), SimpleNamespace(name="recommendations"))
    assert publisher._promote(manifest, champion) == (
        False,
        "pinned to v1 since 2026-11-29T06:00:00+00:00 by rollback; "
        "`millrace models unpin mooc/recommendations` lifts it",
    )
