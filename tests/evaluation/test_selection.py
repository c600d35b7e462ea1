"""Selection: which option wins, what a recipe says of it, and that its fit on the same events is the model that won."""

from dataclasses import replace

import pytest

from millrace.errors import BadInputError
from millrace.evaluation.candidates import CANDIDATES, RecommenderCandidate
from millrace.evaluation.recipes import Recipe, collect_options, fit_recipes
from millrace.evaluation.selection import best_trial, select_candidates, try_candidates
from millrace.evaluation.sources import COUNT, TIME_WEIGHTED, SequenceSource
from millrace.evaluation.split import split_by_time, split_leave_one_out
from millrace.evaluation.table import evaluate_all
from millrace.recommend.popularity import PopularityModel
from tests.recommend.made import sequences

HALF_LIFE = 2e6
TIMED = sequences(4, users=120, items=20, timed=True)
NAMES = ["popularity", "knn", "markov", "ease", "ridge", "als", "blend"]


@pytest.fixture(scope="module")
def tried():
    """(source, validation fold, trials) of both versions."""
    validation = split_by_time(TIMED).validation
    source = SequenceSource(validation.fit, HALF_LIFE, window=3e6)
    return source, validation, try_candidates(source, validation, 1)


def test_every_candidate_is_tried_in_every_version_in_one_order(tried):
    _, _, trials = tried
    assert [(trial.recipe.version, trial.recipe.model) for trial in trials] == [
        (version, name) for version in (COUNT, TIME_WEIGHTED) for name in NAMES
    ]
    assert all(
        trial.recipe.options["ridge"]["penalty"] in (20, 60) for trial in trials if trial.recipe.model == "blend"
    )


def test_recipe_fitted_again_on_same_events_is_model_that_was_tried(tried):
    source, validation, trials = tried
    fits = fit_recipes(source, [Recipe.from_json(trial.recipe.to_json()) for trial in trials], CANDIDATES)
    for trial, fitted in zip(trials, fits, strict=True):
        expected = trial.fitted.model.batch(validation.histories)
        assert fitted.model.batch(validation.histories) == pytest.approx(expected, rel=1e-5), trial.recipe
        assert (fitted.model.popular == trial.fitted.model.popular).all()


def test_recipe_of_earlier_release_without_options_is_fitted_with_their_defaults(tried):
    source, validation, _ = tried
    shares = {"knn": 0.5, "markov": 0.0, "ease": 2.0}
    old = Recipe.from_json({"model": "blend", "version": "count", "power": 1.4, "shares": shares})
    options = {"knn": {"alpha": 1.0, "k1": 1.2}, "ease": {"penalty": 100.0}}
    models = [fitted.model for fitted in fit_recipes(source, [old, replace(old, options=options)], CANDIDATES)]
    assert (models[0].batch(validation.histories) == models[1].batch(validation.histories)).all()
    (popular,) = fit_recipes(source, [Recipe.from_json({"model": "popularity", "version": "count"})], CANDIDATES)
    assert (popular.model.arrays()["counts"] == PopularityModel.fit(source.sequences, 3e6).counts).all()


def test_first_of_equal_options_and_trials_wins(tried):
    source, validation, trials = tried
    same = RecommenderCandidate(
        "same", lambda counts, rank: counts.popularity(None), ({"rank": "first"}, {"rank": "second"})
    )
    (trial,) = try_candidates(replace(source, half_life=None), validation, 1, [same])
    assert trial.recipe.options == {"same": {"rank": "first"}}
    assert best_trial([replace(trial, ndcg=0.1), trial, replace(trial, seconds=0.0)]) is trial
    assert best_trial(trials).ndcg == max(trial.ndcg for trial in trials)


def test_network_takes_as_many_epochs_again_as_its_validation_chose(tried):
    source, validation, _ = tried
    calls = []

    def fit(counts, fold, *, width: int, epochs: int = 200):
        calls.append((fold is not None, width, epochs))
        return counts.popularity(None), 7

    network = RecommenderCandidate("network", fit, ({"width": 4, "epochs": 12},), validated=True)
    (trial,) = try_candidates(source, validation, 1, [network])
    assert trial.recipe.to_json() == {
        "model": "network",
        "version": COUNT,
        "options": {"network": {"width": 4, "epochs": 12}},
        "epochs": 7,
    }
    (fitted,) = fit_recipes(source, [Recipe.from_json(trial.recipe.to_json())], [network])
    assert calls == [(True, 4, 12), (False, 4, 7)]
    assert (fitted.model.popular == source.popular).all()


def test_windows_and_versions_need_times():
    validation = split_leave_one_out(sequences(4)).validation
    source = SequenceSource(validation.fit, HALF_LIFE)
    assert source.versions == (COUNT,)
    (trial,) = try_candidates(source, validation, 1, CANDIDATES[:1])
    assert trial.recipe == Recipe("popularity", COUNT, {"popularity": {"window": None}})


def test_blend_of_too_many_items_does_without_dense_layers(tried):
    source, validation, _ = tried
    small = [replace(candidate, limit=candidate.limit and 19) for candidate in CANDIDATES]
    assert [candidate.name for candidate in select_candidates(small, 20)] == ["popularity", "knn", "markov", "als"]
    blend = Recipe("blend", COUNT, {}, 1.0, {"markov": 1.0, "ridge": 1.0})
    markov = Recipe("markov", COUNT, {}, 1.0, {"markov": 1.0})
    fits = fit_recipes(source, [blend, markov], small)
    assert list(fits[0].layers) == ["markov"]
    scores = [fitted.model.batch(validation.histories) for fitted in fits]
    assert (scores[0] == scores[1]).all()
    with pytest.raises(BadInputError, match="ridge with 20 items is not usable; allowed: at most 19"):
        fit_recipes(source, [Recipe("ridge", COUNT, {}, 1.0, {"ridge": 1.0})], small)
    with pytest.raises(BadInputError, match="the model 'svd' is unknown; allowed: popularity, knn"):
        fit_recipes(source, [Recipe("svd")], CANDIDATES)


def test_only_layers_with_a_share_are_counted():
    recipe = Recipe("blend", COUNT, {"knn": {"alpha": 0.5, "k1": 0.5}}, 1.0, {"knn": 1.0, "ease": 0.0, "ridge": 2.0})
    assert collect_options([recipe]) == {"knn": [{"alpha": 0.5, "k1": 0.5}], "ridge": [{}]}


def test_events_of_equal_gain_give_same_models_as_counts(tried):
    """A half-life far beyond all ages weighs every event alike."""
    _, validation, _ = tried
    source = SequenceSource(validation.fit, 1e15)
    recipes = [
        Recipe("popularity"),
        *(Recipe(name, COUNT, {}, 1.0, {name: 1.0}) for name in ("knn", "markov", "ease", "ridge")),
        Recipe("als", power=0.5),
    ]
    for recipe in recipes:
        models = [
            fit_recipes(source, [replace(recipe, version=version)], CANDIDATES)[0].model
            for version in (COUNT, TIME_WEIGHTED)
        ]
        scores = [model.batch(validation.histories) for model in models]
        assert scores[1] == pytest.approx(scores[0], rel=1e-3, abs=1e-4), recipe.model


@pytest.mark.parametrize("protocol", ["full", "time"])
def test_table_has_an_entry_for_each_model_and_version(protocol):
    result = evaluate_all(TIMED, protocol, models=["knn", "blend"], half_life=HALF_LIFE, window=3e6, seed=2)
    assert {(entry["model"], entry["version"]) for entry in result["models"]} == {
        (name, version) for name in ("knn", "blend") for version in (COUNT, TIME_WEIGHTED)
    }
    for entry in result["models"]:
        assert 0 < entry["validation_ndcg@10"] <= 1
        assert entry["fit_seconds"] <= entry["choose_seconds"] + 1
        if entry["model"] == "blend":
            assert set(entry["options"]["layers"]) == {"knn", "markov", "ease", "ridge"}
