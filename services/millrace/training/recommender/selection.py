"""Choosing a recipe: all of them side by side on the validation items, the chosen ones measured once on the test."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.errors import BadInputError
from millrace.evaluation import blend
from millrace.evaluation.blend import POWERS
from millrace.evaluation.candidates import FittedModel, score_ndcg
from millrace.evaluation.scores import score_model
from millrace.evaluation.split import Fold
from millrace.neural.candidates import fit_neural
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import Recommender
from millrace.training.events import EARLY, LAST, NEXT
from millrace.training.recommender.recipes import POWERS_OF_ALS, Recipe, RecipeSource, mix_links

log = logging.getLogger(__name__)

MAX_USERS = 5_000  # users that are asked, the same ones for the same users


@dataclass(frozen=True)
class HeldOutUsers:
    """What users had and took next: `validation` before NEXT ended, `test` from LAST on; they hold no fit."""

    validation: Fold
    test: Fold


def make_held_out_users(sequences: DataFrame, items: int) -> HeldOutUsers:
    """Questions from the known users with a new item in a part. Raises BadInputError where nobody can be asked."""
    later = sequences.where(F.col("known") & F.exists("part", lambda part: part > EARLY) & (F.size("items") > 1))
    chosen = later.orderBy(F.xxhash64("user"), "user").limit(4 * MAX_USERS).select("items", "part").toArrow()
    rows = [
        (np.array(own, dtype=np.int64), np.array(part))
        for own, part in zip(chosen.column("items").to_pylist(), chosen.column("part").to_pylist(), strict=True)
    ]
    folds = [_make_fold(rows, items, part) for part in (NEXT, LAST)]
    for name, fold in zip(("validation", "test"), folds, strict=True):
        if not len(fold):
            raise BadInputError(
                f"No user has a new item in the {name}; allowed: at least one with items before and after the split. "
                "Ingest more events of returning users.",
                code="too_few_rows",
                field="rows",
            )
    return HeldOutUsers(*folds)


def _make_fold(rows: list[tuple[np.ndarray, np.ndarray]], items: int, part: int) -> Fold:
    histories, targets = [], []
    for own, parts in rows:
        before = own[parts < part]
        new = [item for item in own[parts == part].tolist() if item not in set(before.tolist())]
        if len(before) and new and len(targets) < MAX_USERS:
            _, last = np.unique(before[::-1], return_index=True)
            histories.append(before[np.sort(len(before) - 1 - last)])
            targets.append(new[0])
    starts = np.concatenate([[0], np.cumsum([len(one) for one in histories], dtype=np.int64)]).astype(np.int64)
    flat = np.concatenate(histories) if histories else np.empty(0)
    held = Sequences(flat.astype(np.int32), starts, items)
    nothing = Sequences(np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int64), items)
    return Fold(nothing, held, np.array(targets, dtype=np.int64))


def try_recipes(
    source: RecipeSource, fold: Fold, seed: int, networks: tuple[str, ...] = ()
) -> list[tuple[Recipe, float, Recommender]]:
    """Every recipe that the source allows, its NDCG@10 on the fold, and the model.

    Of each network the epoch is chosen on the fold too; further fits take as many epochs.
    """
    results: list[tuple[Recipe, float, Recommender]] = []

    def add(recipe: Recipe, model: Recommender) -> None:
        results.append((recipe, score_ndcg(model, fold), model))
        log.info("%s, %s: NDCG@10 %.4f on the validation", recipe["model"], recipe["version"], results[-1][1])

    for name in networks:
        log.info("%s: training in PyTorch", name)
        model, epochs = fit_neural(name, source.collect(), fold, seed=seed)
        add({"model": name, "version": "count", "epochs": epochs}, model)
    for version in source.versions:
        add({"model": "popularity", "version": version}, source.fit_popularity(version))
        links = source.make_links(version, source.layers)
        for name, layer in links.items():
            recipes = [{"model": name, "version": version, "power": p, "shares": {name: 1.0}} for p in POWERS]
            best = max(recipes, key=lambda option: score_ndcg(mix_links({name: layer}, option, source.popular), fold))
            add(best, mix_links({name: layer}, best, source.popular))
        factors = source.fit_als(version)
        of_als = [{"model": "als", "version": version, "power": power} for power in POWERS_OF_ALS]
        best = max(of_als, key=lambda option: score_ndcg(factors.with_power(option["power"]), fold))
        add(best, factors.with_power(best["power"]))
        shares, power = blend.choose_blend(list(links.values()), source.popular, fold, seed)
        named = {name: float(share) for name, share in zip(links, shares, strict=True)}
        recipe = {"model": "blend", "version": version, "power": power, "shares": named}
        add(recipe, mix_links(links, recipe, source.popular))
    return results


def measure_recipe(recipe: Recipe, model: Recommender, fold: Fold, seed: int) -> dict[str, Any]:
    """HR@10, NDCG@10 and MRR with 95% intervals over the users of the fold."""
    entry = score_model(FittedModel(recipe["model"], model, {}, 0.0), fold, None, seed, lambda done, total: None)
    kept = ("model", "hr@10", "ndcg@10", "mrr", "coverage", "ci95")
    return {"version": recipe["version"]} | {name: entry[name] for name in kept}
