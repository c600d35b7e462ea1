"""Training a recommender: count, choose, judge against the champion, fit on everything, publish with the histories."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.evaluation.candidates import CANDIDATES
from millrace.evaluation.gate import RecommenderVerdict, judge
from millrace.evaluation.recipes import Recipe, fit_recipes
from millrace.evaluation.scores import score_recipe
from millrace.evaluation.selection import best_trial, score_ndcg, select_candidates, try_candidates
from millrace.evaluation.split import Fold
from millrace.lake import CATALOG, table_name
from millrace.neural.candidates import ALL_CANDIDATES, NETWORK_CANDIDATES
from millrace.registry.manifest import Manifest
from millrace.runtime.text_arrays import TextArray
from millrace.training import dataset, events, offsets
from millrace.training.context import TrainingContext
from millrace.training.events import LAST, NEXT, EventSet
from millrace.training.recommender import live
from millrace.training.recommender.counting import DAY_S
from millrace.training.recommender.held_out import make_held_out_users
from millrace.training.recommender.source import SparkSource
from millrace.workloads.base import RecommenderModel
from millrace.workloads.labels import make_labels

log = logging.getLogger(__name__)


def make_source(history: EventSet, rows: DataFrame, model: RecommenderModel, now: float | None) -> SparkSource:
    """The sequences of some of the events; `now` is when they end."""
    half_life = model.half_life * DAY_S if model.half_life and history.points else None
    kept = events.group_by_user(rows).cache()
    return SparkSource(kept, len(history.item_ids), now, history.oldest, model.window * DAY_S, half_life, model.seed)


def make_early_source(history: EventSet, rows: DataFrame, model: RecommenderModel, part: int) -> SparkSource:
    """What a fit may see that is asked for items of `part`. Leaving items out, no fit sees either of the two."""
    if history.points is None:
        return make_source(history, rows.where(F.col("part") < NEXT), model, history.newest)
    return make_source(history, rows.where(F.col("part") < part), model, history.points[part - 1])


def judge_recommender(
    history: EventSet, model: RecommenderModel, ndcg: float, test: Fold, champion: Manifest | None
) -> RecommenderVerdict:
    """The candidate against the champion's recipe on the champion's own data, as far as it lies before the split."""
    if champion is None:
        return judge(ndcg, None, len(test))
    theirs = make_early_source(history, events.filter_by_offsets(history, champion.data.offsets), model, LAST)
    (fitted,) = fit_recipes(theirs, [Recipe.from_json(champion.parameters["recipe"])], ALL_CANDIDATES)
    other = score_ndcg(fitted.model, test)
    theirs.sequences.unpersist()
    return judge(ndcg, (champion.version, other), len(test))


def train_recommenders(
    context: TrainingContext, models: Sequence[RecommenderModel], windows: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Train the models on every window, oldest first: the events are prepared once for all windows of a model."""
    workload = context.workload
    for model in models:
        inside = context.rows.where(dataset.offsets_within(context.audit.ranges))
        history = events.prepare_events(context.spark, inside, workload, model)
        if history.implausible:
            log.info(
                "%s events of %s have times that can't be true, given when they arrived; they count as events of an "
                "unknown time",
                history.implausible,
                workload.name,
            )
        for window in windows:
            bounds = offsets.window_bounds(context.audit.ranges, window)
            yield train_window(context, model, window, bounds, history)
        history.rows.unpersist()


def train_window(
    context: TrainingContext, model: RecommenderModel, window: str, bounds: offsets.Ranges, history: EventSet
) -> dict[str, Any]:
    """Choose a recipe on the events within the bounds, judge it, fit it on all of them, publish and promote."""
    started, workload = time.monotonic(), context.workload
    rows = events.filter_by_offsets(history, bounds)
    whole = events.group_by_user(history.rows).cache()
    asked = make_held_out_users(whole, len(history.item_ids))
    whole.unpersist()
    validation = make_early_source(history, rows, model, NEXT)
    networks = context.options.networks
    candidates = (*CANDIDATES, *(candidate for candidate in NETWORK_CANDIDATES if candidate.name in networks))
    candidates = select_candidates(candidates, validation.items)
    tried = try_candidates(validation, asked.validation, model.seed, candidates)
    chosen = best_trial(tried)
    # The best of each version is measured, side by side, and popularity and the networks always.
    best = [best_trial(trial for trial in tried if trial.recipe.version == name) for name in validation.versions]
    popular = best_trial(trial for trial in tried if trial.recipe.model == "popularity")
    others = [trial for trial in tried if trial.recipe.model in networks]
    measured = list({id(trial): trial for trial in (chosen, *best, popular, *others)}.values())
    test = validation if history.points is None else make_early_source(history, rows, model, LAST)
    fits = [trial.fitted for trial in measured]
    if test is not validation:
        fits = fit_recipes(test, [trial.recipe for trial in measured], candidates)
    table = [
        score_recipe(fitted, asked.test, None, model.seed)
        | {"validation_ndcg@10": round(trial.ndcg, 5), "served": trial is chosen}
        for trial, fitted in zip(measured, fits, strict=True)
    ]
    ours = next(line for line in table if line["served"])
    champion = context.registry.champion(workload.name, model.name)
    before = context.registry.manifest(workload.name, model.name, champion.version) if champion else None
    judged = judge_recommender(history, model, ours["ndcg@10"], asked.test, before)
    for trial in {id(validation): validation, id(test): test}.values():
        trial.sequences.unpersist()
    full = make_source(history, rows, model, history.newest)
    fitted, later, how = live.fit_live(full, chosen.recipe)
    arrays = fitted.arrays() | history_arrays(full.sequences) | item_texts(context, history, model)
    arrays |= later | live.seen_array(context.rows, workload, bounds)
    kept = rows.count()
    draft = context.draft(
        model.name,
        fitted.algorithm,
        {
            "recipe": chosen.recipe.to_json(),
            "live": how,
            "protocol": history.protocol,
            "compared": table,
            "tried": [trial.recipe.to_json() | {"ndcg@10": round(trial.ndcg, 5)} for trial in tried],
            "window_days": model.window,
            "half_life_days": model.half_life,
            "users_asked": {"validation": len(asked.validation), "test": len(asked.test)},
            "gate": judged.sentence,
        },
        {"ndcg@10": ours["ndcg@10"], "hr@10": ours["hr@10"], "mrr": ours["mrr"], "validation_ndcg@10": chosen.ndcg},
        window=window,
        offsets=bounds,
        rows=kept,
        fitted=kept,
        repeated=history.repeated if kept == history.kept else 0,
    )
    full.sequences.unpersist()
    manifest = context.registry.publish(draft, arrays)
    promoted, reason = context.promote(model.name, manifest.version, champion, judged.passed, judged.sentence)
    recipe = f"{chosen.recipe.model}, {chosen.recipe.version}"
    log.info("%s %s: %s, %s", manifest.full_name, window, recipe, reason)
    return context.describe(
        manifest,
        time.monotonic() - started,
        promoted,
        reason,
        recipe=recipe,
        **{"ndcg@10": ours["ndcg@10"]},
    )


def history_arrays(sequences: DataFrame) -> dict[str, np.ndarray]:
    """`users`: u texts, sorted; `history_starts`: (u + 1,) int64; `history_items`: (n,) int32, oldest first."""
    table = sequences.where("known").select("user", "items").toArrow().combine_chunks()
    users = table.column("user").to_pylist()
    # Sorted by code points, which is the order of their UTF-8.
    order = sorted(range(len(users)), key=users.__getitem__)
    lists = table.column("items").combine_chunks().take(pa.array(order, pa.int64()))
    offsets_, flat = lists.offsets.to_numpy(), lists.flatten().to_numpy()
    return {
        **TextArray.from_texts(users[number] for number in order).to_arrays("users"),
        "history_starts": (offsets_ - offsets_[0]).astype(np.int64),
        "history_items": flat.astype(np.int32),
    }


def item_texts(context: TrainingContext, history: EventSet, model: RecommenderModel) -> dict[str, np.ndarray]:
    """`item_ids` and `item_names`, a text an item; one without a name has its id for it."""
    names: dict[str, str | None] = dict(zip(history.item_ids, history.labels, strict=True))
    if model.names:
        names |= read_catalogue(context, *model.names)
    ids = TextArray.from_texts(history.item_ids)
    return ids.to_arrays("item_ids") | make_labels(history.item_ids, names).to_arrays("item_names")


def read_catalogue(context: TrainingContext, catalogue: str, key: str, name: str) -> dict[str, str | None]:
    """What the records of another workload last called each item; empty where its table is not there."""
    table = f"{CATALOG}.{table_name(catalogue)}"
    if not context.spark.catalog.tableExists(table):
        return {}
    position = F.struct("kafka_timestamp", "kafka_partition", "kafka_offset")
    latest = F.max_by(events.label_start(name), position).alias("name")
    rows = context.spark.table(table).groupBy(key).agg(latest).toArrow()
    return dict(zip(rows.column(key).to_pylist(), rows.column("name").to_pylist(), strict=True))
