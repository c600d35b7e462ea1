"""A version that takes more memory than its readers have is neither published nor loaded, and what is served stays."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from millrace.errors import CorruptError
from millrace.online import updater
from millrace.online.log_lease import Tenure
from millrace.online.scratch import ScratchFolder
from millrace.online.updater import ModelFollower
from millrace.registry.champion import format_champion
from millrace.registry.registry import Registry, champion_key
from millrace.registry.store import ObjectStore
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.model_store import ModelStore
from millrace.stream.champion import ChampionFollower
from millrace.workloads import find_workload
from tests.registry.made import made, text_arrays
from tests.registry.servers import settings_of

MODEL = ("shop", "recommendations")
BUDGET = {"MILLRACE_VERSION_BUDGET": "1000000"}
SENTENCE = r"its arrays take .* MB; allowed: 1.0 MB. The largest: .* MILLRACE_VERSION_BUDGET"


def make_large() -> tuple:
    """A version of 4 MB, most of it one name."""
    draft, arrays = made(*MODEL, seed=2)
    return draft, arrays | text_arrays(item_names=["x" * 4_000_000, *(f"item {number}" for number in range(1, 60))])


def move(registry: Registry, model: tuple[str, str], version: str) -> None:
    """Make a version the champion, unchecked, as a process with a larger budget would."""
    registry.store.put(champion_key(*model), format_champion(version, "2026-11-22T00:00:00+00:00", []))


@pytest.fixture
def champions(registry):
    """(the champion, a newer version over the budget), under which the test runs."""
    small, large = registry.publish(*made(*MODEL)).version, registry.publish(*make_large()).version
    registry.promote(*MODEL, small)
    with settings_of(BUDGET):
        yield small, large


def test_version_over_budget_is_not_published(registry):
    with settings_of(BUDGET), pytest.raises(CorruptError, match=SENTENCE) as refused:
        registry.publish(*make_large())
    assert "shop/recommendations 2" in refused.value.message
    assert "allowed: 1.0 MB. The largest: item_names_bytes 4.0 MB, " in refused.value.message
    assert (refused.value.code, refused.value.allowed) == ("over_budget", "1000000 bytes")
    assert registry.versions(*MODEL) == []


def test_version_over_budget_is_refused_before_an_array_is_read(registry, champions, monkeypatch):
    read = []
    monkeypatch.setattr(ObjectStore, "read_chunks", lambda _, key: read.append(key))
    for load in (registry.load, registry.promote, lambda *model: registry.load_some(*model, ["item_names_bytes"])):
        with pytest.raises(CorruptError, match=SENTENCE):
            load(*MODEL, champions[1])
    assert read == []


def test_only_arrays_that_are_loaded_count(registry, champions):
    _, loaded = registry.load_some(*MODEL, champions[1], ["popular"])
    assert list(loaded) == ["popular"]
    without = ["item_names_bytes", "item_names_offsets"]
    with pytest.raises(CorruptError, match="lacks the arrays item_names_bytes"):  # not over the budget
        registry.load(*MODEL, champions[1], without=without)


def test_api_keeps_present_champion_and_says_why(registry, champions):
    models = ModelStore(registry)
    models.poll()
    move(registry, MODEL, champions[1])
    models.poll()
    assert models.get(*MODEL, LoadedRecommender).manifest.version == champions[0]
    assert "allowed: 1.0 MB" in models.faults["shop/recommendations"]


def test_updater_stays_with_present_version(registry, champions, monkeypatch, caplog, tmp_path):
    class IdleFollower(threading.Thread):
        def __init__(self, base, *_, **__):
            super().__init__()
            self.fold, self.ended = type("Fold", (), {"base": base}), threading.Event()
            self.publisher = SimpleNamespace(settled=False)

        def run(self):
            self.ended.wait()

    monkeypatch.setattr(updater, "VersionFollower", IdleFollower)
    shop = find_workload("shop")
    follower = ModelFollower(registry, shop, shop.recommenders[0], ScratchFolder(tmp_path, 1 << 30))
    follower.lease.tenure = Tenure(None)
    follower.check()
    draft, arrays = made(*MODEL, seed=3)
    with settings_of({"MILLRACE_VERSION_BUDGET": "100000000"}):
        large = registry.publish(draft, arrays | {"seen": np.arange(500_000, dtype=np.uint64)}).version
    move(registry, MODEL, large)
    follower.check()
    assert follower.now.fold.base.version == champions[0]
    follower.end()
    assert "can't be used" in caplog.text
    assert "The largest: seen 4.0 MB" in caplog.text


def test_stream_goes_on_scoring_with_present_champion(registry, monkeypatch, caplog):
    urls = find_workload("urls")
    model = ("urls", urls.pages[0].name)
    draft, arrays = made(*model)
    drafts = (draft, draft.model_copy(update={"code_version": "another"}))
    small, large = (registry.publish(draft, arrays).version for draft in drafts)
    registry.promote(*model, small)
    follower = ChampionFollower(urls, urls.pages[0])
    follower.registry = registry
    assert follower.check()
    move(registry, model, large)
    monkeypatch.setattr("millrace.registry.budget.count_bytes", lambda _: 500_000_000)
    assert not follower.check()
    assert follower.current.version == small
    assert "its arrays take" in caplog.text
    assert f"{small} goes on scoring" in caplog.text
