"""Versions in memory: bounded by number and by bytes."""

from types import SimpleNamespace

import numpy as np
import pytest

from millrace.serving.version_cache import MAX_OTHER_VERSIONS, VersionCache
from millrace.settings import settings


def loaded(size: int) -> SimpleNamespace:
    return SimpleNamespace(arrays={"centres": np.zeros(size, np.uint8)})


def held(cache: VersionCache) -> list[int]:
    return [number for number in range(20) if cache.get(("a", "b", str(number)))]


def test_version_used_longest_ago_goes_first():
    cache = VersionCache()
    for number in range(MAX_OTHER_VERSIONS):
        cache.add(("a", "b", str(number)), loaded(1))
    assert cache.get(("a", "b", "0"))
    cache.add(("a", "b", str(MAX_OTHER_VERSIONS)), loaded(1))
    assert held(cache) == [0, *range(2, MAX_OTHER_VERSIONS + 1)]


@pytest.mark.parametrize(("size", "kept"), [(400_000, [4, 5]), (600_000, [5]), (2_000_000, [5])])
def test_versions_together_take_no_more_bytes_than_one_may(monkeypatch, size, kept):
    monkeypatch.setattr(settings(), "version_budget", 1_000_000)
    cache = VersionCache()
    for number in range(6):
        cache.add(("a", "b", str(number)), loaded(size))
    assert held(cache) == kept
