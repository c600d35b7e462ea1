"""The table of all models on one file of sequences: fitted, chosen on the validation, measured once on the test."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from millrace.errors import BadInputError
from millrace.evaluation import blend
from millrace.evaluation.candidates import (
    CANDIDATES,
    FittedModel,
    RecommenderCandidate,
    choose_option,
    cpu_seconds,
    refit,
)
from millrace.evaluation.ranks import draw_negatives
from millrace.evaluation.scores import format_entry, score_model
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
    seed: int = DEFAULT_SEED,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The result of `millrace evaluate --json`: one entry a model, the best NDCG first.

    `fit_seconds` are those of this process' own time, of the one fit that is measured; `choose_seconds` those of all
    that was tried for it on the validation items. `models` names those to compare; none means all `candidates` that are
    possible. Those `on_request` take part where they are named.
    Among negatives most items are far from the top, so there links are not cut to what a top 10 needs.

    Raises BadInputError for an unknown protocol or model, and for sequences that are too short, too few or without
    times.
    """
    parts = split_by_protocol(sequences, protocol)
    names = [*dict.fromkeys(candidate.name for candidate in (*candidates, *on_request)), "blend"]
    if unknown := [name for name in models if name not in names]:
        allowed = ", ".join(names)
        raise BadInputError(f"--model {unknown[0]!r} is unknown; allowed: {allowed}.", field="model", allowed=allowed)
    candidates = [*candidates, *(candidate for candidate in on_request if candidate.name in models)]
    sampled = protocol == "negatives"
    keep = sequences.item_count if sampled and sequences.item_count**2 <= MAX_UNCUT_CELLS else None
    if keep:
        candidates = [_without_cut(candidate, keep) for candidate in candidates]
    negatives = draw_negatives(parts.test, seed) if sampled else None
    chosen, entries = [], []
    for candidate in select_candidates(candidates, sequences.item_count, models):
        started = cpu_seconds()
        fitted = choose_option(candidate, parts.validation, seed, sampled)
        searched = cpu_seconds() - started
        if parts.test.fit is not parts.validation.fit:
            fitted = refit(fitted, candidates, parts.test.fit)
        chosen.append(fitted)
        if models and fitted.name not in models:
            continue  # only a layer of the blend
        entries.append(
            score_model(fitted, parts.test, negatives, seed, progress) | {"choose_seconds": round(searched, 2)}
        )
        log.info("%s", format_entry(entries[-1]))
    linked = [fitted for fitted in chosen if fitted.links is not None]
    if linked and (not models or "blend" in models):
        started = cpu_seconds()
        mixed = make_blend(linked, parts, candidates, seed, sampled, keep)
        searched = cpu_seconds() - started
        entries.append(
            score_model(mixed, parts.test, negatives, seed, progress) | {"choose_seconds": round(searched, 2)}
        )
        log.info("%s", format_entry(entries[-1]))
    entries.sort(key=lambda entry: -entry["ndcg@10"])
    return {"protocol": protocol, "users": len(parts.test), "items": sequences.item_count, "seed": seed} | {
        "interactions": len(sequences.items),
        "models": entries,
    }


def select_candidates(
    candidates: Sequence[RecommenderCandidate], items: int, models: Sequence[str]
) -> list[RecommenderCandidate]:
    """The candidates that are wanted and can be fitted for so many items; a blend wants all of them."""
    wanted = [
        candidate
        for candidate in candidates
        if not models or candidate.name in models or ("blend" in models and candidate.linked)
    ]
    large = [candidate for candidate in wanted if candidate.limit is not None and items > candidate.limit]
    for candidate in large:
        if candidate.name in models:
            raise BadInputError(
                f"--model {candidate.name} with {items} items is not usable; allowed: at most {candidate.limit}.",
                field="model",
            )
        log.info("%s is left out: %s items; it takes at most %s", candidate.name, items, candidate.limit)
    return [candidate for candidate in wanted if candidate not in large]


def _without_cut(candidate: RecommenderCandidate, keep: int) -> RecommenderCandidate:
    if not candidate.linked:
        return candidate
    return replace(candidate, options=tuple(option | {"keep": keep} for option in candidate.options))


def make_blend(
    linked: list[FittedModel],
    parts: Split,
    candidates: Sequence[RecommenderCandidate],
    seed: int,
    sampled: bool,
    keep: int | None = None,
) -> FittedModel:
    """The blend, chosen on the validation's fit and made of the test's; the same one under leave-one-out."""
    layers = linked
    if parts.test.fit is not parts.validation.fit:
        layers = [refit(layer, candidates, parts.validation.fit) for layer in linked]
    shares, power = blend.choose_blend(
        [layer.links for layer in layers if layer.links], linked[0].model.popular, parts.validation, seed, sampled
    )
    started = cpu_seconds()
    model = blend.make_blend(
        [layer.links for layer in linked if layer.links], shares.tolist(), power, linked[0].model.popular, keep
    )
    used = sum(layer.seconds for layer in linked) + cpu_seconds() - started
    named = {layer.name: float(f"{share:.4g}") for layer, share in zip(linked, shares, strict=True)}
    return FittedModel("blend", model, {"shares": named, "power": power}, used, model.links)
