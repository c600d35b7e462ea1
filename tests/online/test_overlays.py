"""Answers with what was added are those of a model fitted on all events; untouched ones stay as they are."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from millrace.online.event_counts import EventCounts
from millrace.recommend import loading
from millrace.recommend.top_items import clean_history
from millrace.registry.checks import check_model
from millrace.registry.manifest import Manifest
from millrace.serving.kinds.recommender import LoadedRecommender
from millrace.serving.overlays import Overlays
from tests.online import made
from tests.online.test_fold import WEIGHTS, arrivals
from tests.registry.made import draft


def manifest(parameters) -> Manifest:
    result = draft("mooc", "recommendations", "linked", parameters)
    return Manifest(**result.model_dump(), version=made.VERSION, created_at=datetime.now(UTC), arrays={})


@pytest.fixture(params=["dense", "sparse"])
def form(request, monkeypatch):
    """Both forms in which links are read."""
    if request.param == "sparse":
        monkeypatch.setattr("millrace.recommend.link_model.MAX_DENSE_ITEMS", 0)


def applied(fold: EventCounts) -> Overlays:
    overlays = Overlays([made.MODEL])
    for key, value in fold.messages():
        overlays.apply(key, value, 0)
    return overlays


@WEIGHTS
@pytest.mark.parametrize("alone", [True, False], ids=["markov", "blend"])
def test_answers_match_model_fitted_on_all_events(form, half_life, alone):
    events, split = made.records(700, 3), 450
    live = made.live_of(made.sequences(events[:split]), half_life, alone)
    static = None if alone else made.static_layer(events[:split])
    arrays = made.arrays(events[:split], live, static)
    fold = EventCounts(made.base(arrays, live))
    for record, arrival in arrivals(events[split:]):
        fold.add(record, arrival)
    overlays = applied(fold)
    report = manifest(made.parameters(live))
    check_model(report, arrays, "here")
    served = LoadedRecommender(report, arrays, overlays.get(made.MODEL, made.VERSION))
    whole = made.sequences(events)
    expected = made.fitted(whole, live, static, whole)
    for user in range(made.USERS):
        history = served.user_items(f"U{user:02}")
        assert history.tolist() == whole[user].tolist()
        answer, wanted = served.model.top(clean_history(history, made.ITEMS), 10), expected.top(whole[user], 10)
        np.testing.assert_allclose(answer.scores, wanted.scores, rtol=1e-4)
        ties = np.isclose(np.diff(wanted.scores), 0, rtol=1e-4).any()
        assert ties or answer.items.tolist() == wanted.items.tolist()
    assert served.model.popular.tolist() == expected.popular.tolist()


def test_answers_without_events_are_bitwise_identical_to_model(form):
    events = made.records(400)
    live = made.live_of(made.sequences(events), None)
    arrays = made.arrays(events, live, made.static_layer(events))
    served = LoadedRecommender(
        manifest(made.parameters(live)), arrays, Overlays([made.MODEL]).get(made.MODEL, made.VERSION)
    )
    plain = loading.load_model("linked", arrays)
    for user in range(made.USERS):
        history = clean_history(served.user_items(f"U{user:02}"), made.ITEMS)
        assert (served.model.top(history, 10).scores == plain.top(history, 10).scores).all()


def test_recomputed_unchanged_row_equals_trained_row():
    events = made.records(400)
    live = made.live_of(made.sequences(events), None)
    arrays = made.arrays(events, live, made.static_layer(events))
    served = LoadedRecommender(
        manifest(made.parameters(live)), arrays, Overlays([made.MODEL]).get(made.MODEL, made.VERSION)
    )
    for item in range(made.ITEMS):
        computed = served.model.rows.compute(item)
        targets, weights = served.model._row(item)
        assert np.flatnonzero(computed).tolist() == sorted(targets.tolist())
        np.testing.assert_allclose(computed[targets], weights, rtol=1e-6)


def test_version_without_counts_still_learns_histories_and_popular_items():
    events = made.records(400)
    live = made.live_of(made.sequences(events), None)
    arrays = made.arrays(events, live, None)
    plain = {name: array for name, array in arrays.items() if not name.startswith(("live_", "static_"))}
    overlays = Overlays([made.MODEL])
    overlays.apply(f"{made.VERSION}/user/new one", b'{"items":[3,"C_new"]}', 0)
    overlays.apply(f"{made.VERSION}/popular", b'{"items":[39],"lately":[9999],"whole":[9999]}', 0)
    report = manifest(made.parameters(replace(live, share=None)))
    check_model(report, plain, "here")
    served = LoadedRecommender(report, plain, overlays.get(made.MODEL, made.VERSION))
    assert served.history("new one") == [3, "C_new"]
    assert served.recommend(served.user_items("new one"), 5, False)["fallback"] is None
    assert served.popular(1)["items"][0]["id"] == "C39"


def test_popularity_of_several_blocks_is_laid_over_answers_as_one():
    overlays = Overlays([made.MODEL])
    prefix = f"{made.MODEL}/{made.VERSION}"
    overlays.apply(f"{made.VERSION}/popular", b'{"items":[1,9000],"lately":[1,1],"whole":[1,1]}', 0)
    overlays.apply(f"{prefix}/popular/0", b'{"items":[1],"lately":[2],"whole":[3]}', 0)
    overlays.apply(f"{prefix}/popular/1", b'{"items":[9000],"lately":[4],"whole":[5]}', 0)
    overlay = overlays.get(made.MODEL, made.VERSION)
    items, counts = overlay.popular
    assert (items.tolist(), counts.tolist()) == ([1, 9000], [[2, 4], [3, 5]])
    assert overlay.popular is overlay.popular, "a model is made anew for another object only"
    overlays.apply(f"{prefix}/popular/0", None, 0)
    assert overlay.popular[0].tolist() == [9000]


def test_two_recommenders_of_a_workload_have_versions_and_staleness_of_their_own():
    overlays = Overlays(["pairs", "tastes"])
    assert overlays.describe() == {"version": None, "offsets": None, "accepted": None, "error": None}
    overlays.served |= {"pairs": "v1", "tastes": "v1"}
    overlays.apply("pairs/v1/user/U", b'{"items":[1]}', 0)
    overlays.apply("pairs/v1/watermark", b'{"offsets":{"0":5},"at":9.0}', 0)
    assert overlays.watermark is None, "nobody follows the other"
    overlays.apply("tastes/v1/watermark", b'{"offsets":{"0":2},"at":4.0}', 0)
    overlays.apply("v1/user/U", b'{"items":[7]}', 0)
    assert overlays.watermark == 4.0
    assert overlays.leads("tastes", "v1"), "what the other model's versions have taken up is none of its business"
    assert overlays.get("tastes", "v1").users == {}
    assert overlays.get("pairs", "v1").users == {"U": [1]}
    assert overlays.describe()["models"]["tastes"] == {
        "version": "v1",
        "offsets": {"0": 2},
        "accepted": None,
        "error": None,
    }


def test_version_is_unsure_from_another_updaters_claim_to_its_watermark_and_while_a_key_is_overwritten():
    overlays = Overlays([made.MODEL])
    overlays.served[made.MODEL] = "a"
    watermark = b'{"offsets":{"0":5},"at":7.0}'
    overlays.apply(f"{made.MODEL}/a/watermark", watermark, 0)
    assert overlays.leads(made.MODEL, "a")
    overlays.begin_epoch(made.MODEL)
    assert not overlays.leads(made.MODEL, "a")
    overlays.apply(f"{made.MODEL}/a/watermark", watermark, 0)
    assert overlays.leads(made.MODEL, "a")
    overlays.doubt(f"{made.MODEL}/a/user/U", 6000)
    assert not overlays.leads(made.MODEL, "a")
    assert overlays.watermark == 6.0, "staleness counts from when the key was overwritten"
    overlays.apply(f"{made.MODEL}/a/user/U", b'{"items":[1]}', 0)
    assert overlays.leads(made.MODEL, "a")
    assert overlays.watermark == 7.0


def test_tombstone_reverts_earlier_message():
    overlays = Overlays([made.MODEL])
    overlays.served[made.MODEL] = made.VERSION
    overlay = overlays.get(made.MODEL, made.VERSION)
    overlays.apply(f"{made.VERSION}/column/7.0", b'{"rows":[1,2],"added":[2520,1260]}', 0)
    overlays.apply(f"{made.VERSION}/user/a/b", b'{"items":[1]}', 0)
    assert overlay.row(1) == (1, {7: 2520})
    assert overlay.users == {"a/b": [1]}
    overlays.apply(f"{made.VERSION}/column/7.0", b'{"rows":[1,2],"added":[2520,1260]}', 0)
    assert overlay.row(1) == (1, {7: 2520}), "the same once more changes nothing"
    overlays.apply(f"{made.VERSION}/column/7.0", None, 0)
    overlays.apply(f"{made.VERSION}/user/a/b", None, 0)
    assert overlay.row(1)[1] == {7: 0}
    assert overlay.users == {}


@pytest.mark.parametrize("served", [None, "other", made.VERSION])
def test_abandoned_version_followed_again_updates_its_existing_readers(served):
    overlays = Overlays([made.MODEL])
    overlays.served = {} if served is None else {made.MODEL: served}
    answering = overlays.get(made.MODEL, made.VERSION)
    overlays.apply(f"{made.VERSION}/watermark", b'{"offsets":{"0":5},"at":1.0}', 0)
    overlays.apply(f"{made.VERSION}/watermark", None, 0)
    overlays.apply(f"{made.VERSION}/user/a", b'{"items":[1,2]}', 0)
    assert answering.users == {"a": [1, 2]}
    assert overlays.get(made.MODEL, made.VERSION) is answering


def test_version_leads_once_it_has_read_as_far_as_any_other():
    overlays = Overlays([made.MODEL])
    assert overlays.leads(made.MODEL, "a"), "nothing was said of any"
    overlays.apply("a/watermark", b'{"offsets":{"0":5,"1":7},"at":1.0}', 0)
    assert overlays.leads(made.MODEL, "a")
    assert not overlays.leads(made.MODEL, "b")
    overlays.apply("b/watermark", b'{"offsets":{"0":5,"1":6},"at":1.0}', 0)
    assert not overlays.leads(made.MODEL, "b")
    overlays.apply("b/watermark", b'{"offsets":{"0":9,"1":7},"at":1.0}', 0)
    assert overlays.leads(made.MODEL, "b")
    assert not overlays.leads(made.MODEL, "a")
    overlays.apply("b/watermark", b'{"offsets":{"0":9,"1":7},"at":1.0,"error":"train again"}', 0)
    assert overlays.leads(made.MODEL, "a"), "what was given up holds nobody up"
    overlays.apply("b/watermark", None, 0)
    assert overlays.leads(made.MODEL, "a"), "nor does what was taken back"
