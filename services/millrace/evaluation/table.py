"""The table of all models on one file of sequences: fitted, chosen on the validation, measured once on the test."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from millrace.errors import BadInput
from millrace.evaluation.bootstrap import intervals
from millrace.evaluation.metrics import NAMES, per_user
from millrace.evaluation.ranks import ranks, uniform_negatives
from millrace.evaluation.split import Fold, Split, by_time, leave_one_out
from millrace.recommend import blend
from millrace.recommend.candidates import CANDIDATES, Candidate, Fitted, again, choose
from millrace.recommend.sequences import Sequences

PROTOCOLS = ("full", "negatives", "time")
SEED = 20261121
K = 10
COLUMNS = {"hr": f"hr@{K}", "ndcg": f"ndcg@{K}", "mrr": "mrr"}
Say = Callable[[str], None]


def split(sequences: Sequences, protocol: str) -> Split:
    """Raises BadInput for a protocol that there is not, or that the sequences do not allow."""
    if protocol not in PROTOCOLS:
        allowed = ", ".join(PROTOCOLS)
        raise BadInput(f"--protocol {protocol!r} is unknown; allowed: {allowed}.", field="protocol", allowed=allowed)
    return by_time(sequences) if protocol == "time" else leave_one_out(sequences)


def evaluate(
    sequences: Sequences,
    protocol: str = "full",
    *,
    models: Sequence[str] = (),
    candidates: Sequence[Candidate] = CANDIDATES,
    seed: int = SEED,
    say: Say = lambda sentence: None,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The result of `millrace evaluate --json`: one entry a model, the best NDCG first.

    `fit_seconds` are those of this process' own time, of the one fit that is measured; `choose_seconds` those of all
    that was tried for it on the validation items. `models` names those to compare; none means all that are possible.
    """
    found = split(sequences, protocol)
    sampled = protocol == "negatives"
    negatives = uniform_negatives(found.test, seed) if sampled else None
    chosen, entries = [], []
    for candidate in possible(candidates, sequences.item_count, models, say):
        started = time.process_time()
        one = choose(candidate, found.validation, seed, sampled, say)
        searched = time.process_time() - started
        if found.test.fit is not found.validation.fit:
            one = again(one, candidates, found.test.fit)
        chosen.append(one)
        entries.append(measured(one, found.test, negatives, seed, progress) | {"choose_seconds": round(searched, 2)})
        say(line(entries[-1]))
    if (linked := [one for one in chosen if one.links is not None]) and (not models or "blend" in models):
        started = time.process_time()
        mixed = mix(linked, found, candidates, seed, sampled, say)
        searched = time.process_time() - started
        entry = measured(mixed, found.test, negatives, seed, progress)
        entries.append(entry | {"choose_seconds": round(searched, 2)})
        say(line(entries[-1]))
    entries.sort(key=lambda entry: -entry["ndcg@10"])
    return {"protocol": protocol, "users": len(found.test), "items": sequences.item_count, "seed": seed} | {
        "interactions": len(sequences.items),
        "models": [entry for entry in entries if not models or entry["model"] in models],
    }


def possible(candidates: Sequence[Candidate], items: int, models: Sequence[str], say: Say) -> list[Candidate]:
    """The candidates that are wanted and can be fitted for so many items; a blend wants all of them."""
    names = [candidate.name for candidate in candidates] + ["blend"]
    if unknown := [name for name in models if name not in names]:
        allowed = ", ".join(names)
        raise BadInput(f"--model {unknown[0]!r} is unknown; allowed: {allowed}.", field="model", allowed=allowed)
    wanted = [one for one in candidates if not models or one.name in models or "blend" in models]
    for one in wanted:
        if one.limit is not None and items > one.limit:
            say(f"{one.name} is left out: {items} items; it takes at most {one.limit}")
    return [one for one in wanted if one.limit is None or items <= one.limit]


def mix(
    linked: list[Fitted], found: Split, candidates: Sequence[Candidate], seed: int, sampled: bool, say: Say
) -> Fitted:
    """The blend, chosen on the validation's fit and made of the test's; the same one under leave-one-out."""
    layers = linked
    if found.test.fit is not found.validation.fit:
        layers = [again(one, candidates, found.validation.fit) for one in linked]
    shares, power = blend.choose(
        [one.links for one in layers if one.links], linked[0].model.popular, found.validation, seed, sampled, say
    )
    started = time.process_time()
    model = blend.blended([one.links for one in linked if one.links], shares.tolist(), power, linked[0].model.popular)
    seconds = sum(one.seconds for one in linked) + time.process_time() - started
    named = {one.name: float(f"{share:.4g}") for one, share in zip(linked, shares, strict=True)}
    return Fitted("blend", model, {"shares": named, "power": power}, seconds, model.links)


def measured(one: Fitted, test: Fold, negatives: np.ndarray | None, seed: int, progress) -> dict[str, Any]:
    found = ranks(one.model, test, negatives, progress)
    values = per_user(found.greater, found.tied, K)
    low, high = intervals(values, seed)
    entry: dict[str, Any] = {"model": one.name}
    entry |= {COLUMNS[name]: round(float(mean), 5) for name, mean in zip(NAMES, values.mean(axis=0), strict=True)}
    return entry | {
        "coverage": round(found.answered / test.fit.item_count, 4),
        "fit_seconds": round(one.seconds, 2),
        "ci95": {
            COLUMNS[name]: [round(float(low[place]), 5), round(float(high[place]), 5)]
            for place, name in enumerate(NAMES)
        },
        "options": one.option,
        "bytes": sum(np.asarray(array).nbytes for array in one.model.arrays().values()),
    }


def line(entry: dict[str, Any]) -> str:
    return f"{entry['model']}: HR@10 {entry['hr@10']:.4f}, NDCG@10 {entry['ndcg@10']:.4f} on the test"
