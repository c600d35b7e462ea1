"""The gate: both models on the same held-out records, in a space that belongs to neither."""

from datetime import UTC, datetime

import numpy as np
import pytest

from millrace.registry.manifest import FeatureSpec, Manifest
from millrace.scoring.kmeans import KMeans
from millrace.training.clusters.gate import judge_clusters
from tests.registry.made import made

FEATURES = [FeatureSpec(field="discounted_price", transform="log1p"), FeatureSpec(field="rating", transform="identity")]


@pytest.fixture
def columns() -> dict[str, list[float | None]]:
    """Two clear groups, and one record without a rating."""
    random = np.random.default_rng(3)
    prices = np.concatenate([random.normal(100, 5, 60), random.normal(5000, 200, 60)])
    ratings = np.concatenate([random.normal(3, 0.1, 60), random.normal(4.5, 0.1, 60)])
    return {"discounted_price": [*prices.tolist(), 10.0], "rating": [*ratings.tolist(), None]}


def model(*centres: tuple[float, float]) -> KMeans:
    return KMeans(np.zeros(2), np.ones(2), np.array(centres))


GOOD = model((np.log1p(100), 3.0), (np.log1p(5000), 4.5))
BAD = model((np.log1p(100), 3.0), (np.log1p(101), 3.01))


def champion(scorer: KMeans) -> tuple[Manifest, KMeans]:
    draft, _ = made("products", "price_rating")
    named = draft.model_dump() | {"features": [spec.model_dump() for spec in FEATURES]}
    version = "20261121T000000Z-00000000"
    return Manifest(**named, version=version, created_at=datetime(2026, 11, 21, tzinfo=UTC), arrays={}), scorer


def test_first_version_passes(columns):
    verdict = judge_clusters(GOOD, FEATURES, columns, None)
    assert verdict.passed
    assert verdict.records == 120
    assert "the first version" in verdict.sentence


def test_worse_version_is_rejected_with_both_scores(columns):
    verdict = judge_clusters(BAD, FEATURES, columns, champion(GOOD))
    assert not verdict.passed
    assert verdict.candidate < verdict.champion
    assert f"refused: silhouette {verdict.candidate:.4f} against {verdict.champion:.4f}" in verdict.sentence
    assert "on the same 120 held-out records" in verdict.sentence


def test_better_or_equal_version_passes(columns):
    assert judge_clusters(GOOD, FEATURES, columns, champion(BAD)).passed
    assert judge_clusters(GOOD, FEATURES, columns, champion(GOOD)).passed


def test_nothing_is_rejected_without_held_out_records(columns):
    empty = {name: [] for name in columns}
    assert judge_clusters(BAD, FEATURES, empty, champion(GOOD)).passed
