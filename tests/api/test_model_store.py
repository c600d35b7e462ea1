"""Champions in memory, each of the kind that its workload declares."""

import pytest

from millrace.errors import CorruptError, UnavailableError
from millrace.pages.board import Board
from millrace.serving.delta_follower import DeltaFollower
from millrace.serving.kinds.base import LoadedModel
from millrace.serving.kinds.clusters import LoadedClusters
from millrace.serving.kinds.page_clusters import LoadedPageClusters
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.kinds.sales import LoadedSales
from millrace.serving.model_store import ModelStore
from millrace.serving.overlays import Overlays
from tests.registry.made import draft, made, sales

MODEL = ("courses", "popularity")


def promote(registry, draft_and_arrays) -> str:
    version = registry.publish(*draft_and_arrays).version
    registry.promote(draft_and_arrays[0].workload, draft_and_arrays[0].model, version)
    return version


def test_champion_is_of_the_declared_kind(registry):
    version = promote(registry, made(*MODEL))
    models = ModelStore(registry)
    assert models.find(*MODEL, LoadedClusters) is None
    with pytest.raises(UnavailableError, match="has no champion to answer from"):
        models.get(*MODEL, LoadedClusters)
    models.poll()
    served = models.get(*MODEL, LoadedClusters)
    assert (type(served), served.manifest.version) == (LoadedClusters, version)
    assert models.get(*MODEL, LoadedModel) is served
    assert models.find(*MODEL, LoadedClusters) is served
    assert models.version(*MODEL, version, LoadedClusters) is served


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        (LoadedClusters, "kmeans"),
        (LoadedPageClusters, "pages"),
        (LoadedRecommender, "linked, als, popularity, attention, masked_attention, machine"),
    ],
)
def test_version_of_another_kind_is_corrupt(registry, kind, allowed):
    first = promote(registry, made(*MODEL))
    second = promote(registry, (draft(*MODEL, "sales", {"by": {"month": "month"}}), sales(("month",))))
    models = ModelStore(registry)
    models.poll()
    sentence = f"courses/popularity {second}: algorithm 'sales' is not of the kind that courses declares; allowed: "
    for ask in (models.get, models.find):
        with pytest.raises(CorruptError) as caught:
            ask(*MODEL, kind)
        assert caught.value.message == f"{sentence}{allowed}. Train it again: `millrace train courses`."
        assert (caught.value.field, caught.value.allowed) == ("algorithm", allowed)
    with pytest.raises(UnavailableError) as unavailable:
        models.version(*MODEL, second, kind)
    assert unavailable.value.message.startswith(sentence)
    assert (unavailable.value.code, unavailable.value.field) == ("corrupt", "version")
    assert type(models.get(*MODEL, LoadedSales)) is LoadedSales
    assert type(models.version(*MODEL, first, LoadedClusters)) is LoadedClusters


def test_store_of_deltas_is_of_the_kind_that_the_workload_declares():
    live = DeltaFollower()
    assert isinstance(live.store("urls", Board), Board)
    assert isinstance(live.store("mooc", Overlays), Overlays)
    with pytest.raises(TypeError, match="urls has a store of the kind Board, not Overlays"):
        live.store("urls", Overlays)
