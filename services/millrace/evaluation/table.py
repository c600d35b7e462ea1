"""The table of all models on one file of sequences: fitted, chosen on the validation, measured once on the test."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from millrace.errors import BadInputError
from millrace.evaluation.candidates import CANDIDATES, RecommenderCandidate
from millrace.evaluation.ranks import draw_negatives
from millrace.evaluation.recipes import BLEND, FittedRecipe, fit_recipes
from millrace.evaluation.scores import format_entry, score_recipe
from millrace.evaluation.selection import Trial, select_candidates, try_candidates
from millrace.evaluation.sources import SequenceSource
from millrace.evaluation.split import Split, split_by_time, split_leave_one_out
from millrace.recommend.sequences import Sequences

log = logging.getLogger(__name__)

PROTOCOLS = ("full", "negatives", "time")
DEFAULT_SEED = 20261121
MAX_UNCUT_CELLS = 16_000_000  # links, 128 MB a model: up to 4,000 items each may keep all of its links


def split_by_protocol(sequences: Sequences, protocol: str) -> Split:
    """Raises BadInputError for a protocol that there is not, or that the sequences do not allow."""
    if protocol not in PROTOCOLS:
        allowed = ", ".join(PROTOCOLS)
        raise BadInputError(
            f"--protocol {protocol!r} is unknown; allowed: {allowed}.", field="protocol", allowed=allowed
        )
    return split_by_time(sequences) if protocol == "time" else split_leave_one_out(sequences)


def evaluate_all(
    sequences: Sequences,
    protocol: str = "full",
    *,
    models: Sequence[str] = (),
    candidates: Sequence[RecommenderCandidate] = CANDIDATES,
    on_request: Sequence[RecommenderCandidate] = (),
    half_life: float | None = None,
    window: float | None = None,
    seed: int = DEFAULT_SEED,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The result of `millrace evaluate --json`: one entry a model and version, the best NDCG first.

    `fit_seconds` are those of this process' own time, of the one fit that is measured; `choose_seconds` those of all
    that was tried for it on the validation items. `models` names those to compare; none means all `candidates` that are
    possible. Those `on_request` take part where they are named. With a `half_life`, in seconds, and times there are
    time-weighted versions too; `window`, in seconds, is that of the popular items which fill up answers, all time where
    it is None. Among negatives most items are far from the top, so there links are not cut to what a top 10 needs.

    Raises BadInputError for an unknown protocol or model, and for sequences that are too short, too few or without
    times.
    """
    parts = split_by_protocol(sequences, protocol)
    names = [*dict.fromkeys(candidate.name for candidate in (*candidates, *on_request)), BLEND]
    if unknown := [name for name in models if name not in names]:
        allowed = ", ".join(names)
        raise BadInputError(f"--model {unknown[0]!r} is unknown; allowed: {allowed}.", field="model", allowed=allowed)
    wanted = [*candidates, *(candidate for candidate in on_request if candidate.name in models)]
    wanted = select_candidates(wanted, sequences.item_count, models)
    sampled = protocol == "negatives"
    keep = sequences.item_count if sampled and sequences.item_count**2 <= MAX_UNCUT_CELLS else None
    source = SequenceSource(parts.validation.fit, half_life, window, keep, seed)
    trials = [
        trial
        for trial in try_candidates(
            source, parts.validation, seed, wanted, blended=not models or BLEND in models, negatives=sampled
        )
        if not models or trial.recipe.model in models  # the others are only layers of the blend
    ]
    fits = [trial.fitted for trial in trials]
    if parts.test.fit is not parts.validation.fit:
        fits = fit_recipes(replace(source, sequences=parts.test.fit), [trial.recipe for trial in trials], wanted)
    negatives = draw_negatives(parts.test, seed) if sampled else None
    entries = []
    for trial, fitted in zip(trials, fits, strict=True):
        entry = score_recipe(fitted, parts.test, negatives, seed, progress)
        entries.append(entry | describe_cost(trial, fitted))
        log.info("%s", format_entry(entry))
    entries.sort(key=lambda entry: -entry["ndcg@10"])
    return {"protocol": protocol, "users": len(parts.test), "items": sequences.item_count, "seed": seed} | {
        "interactions": len(sequences.items),
        "models": entries,
    }


def describe_cost(trial: Trial, fitted: FittedRecipe) -> dict[str, Any]:
    """Processor seconds of the fit and of all that was tried for it, bytes of the arrays, and what decided on it."""
    return {
        "fit_seconds": round(fitted.seconds, 2),
        "choose_seconds": round(trial.seconds, 2),
        "bytes": sum(np.asarray(array).nbytes for array in fitted.model.arrays().values()),
        "validation_ndcg@10": round(trial.ndcg, 5),
    }
