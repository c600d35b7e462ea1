"""Networks beside the counted recipes in a training of the lake's events, and served by the same arrays."""

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install -r requirements/neural.lock")

from millrace.evaluation.candidates import CANDIDATES
from millrace.evaluation.recipes import fit_recipes
from millrace.evaluation.selection import try_candidates
from millrace.neural import train as training
from millrace.neural.candidates import NETWORK_CANDIDATES
from millrace.recommend import loading
from millrace.training import events
from millrace.training.recommender.held_out import make_held_out_users
from millrace.training.recommender.train import make_early_source, make_source
from millrace.workloads import find_workload
from tests.training.landed import landed


def test_network_is_tried_alongside_others_and_refitted_for_as_many_epochs(spark, monkeypatch):
    small = training.NetworkPlan(width=16, epochs=4, every=2, size=64, negatives=0, processes=1)
    monkeypatch.setattr(training, "NetworkPlan", lambda **options: replace(small, **options))
    mooc = find_workload("mooc")
    model = mooc.recommenders[0]
    frame, _, _ = landed(spark, mooc, 900)
    result = events.prepare_events(spark, frame, mooc, model)
    validation = make_early_source(result, result.rows, model, events.NEXT)
    asked = make_held_out_users(events.group_by_user(result.rows), len(result.item_ids))
    networks = [candidate for candidate in NETWORK_CANDIDATES if candidate.name in ("sasrec", "fm")]
    tried = try_candidates(validation, asked.validation, 1, (*CANDIDATES, *networks))
    recipes = {trial.recipe.model: trial.recipe for trial in tried if trial.recipe.model in ("sasrec", "fm")}
    assert set(recipes) == {"sasrec", "fm"}
    assert all(1 <= recipe.epochs <= 4 for recipe in recipes.values())
    full = make_source(result, result.rows, model, result.newest)
    for recipe in recipes.values():
        fitted = fit_recipes(full, [recipe], NETWORK_CANDIDATES)[0].model
        again = loading.load_model(fitted.algorithm, fitted.arrays())
        history = asked.test.histories[0].astype("int64")
        assert again.top(history, 5).items.tolist() == fitted.top(history, 5).items.tolist()
