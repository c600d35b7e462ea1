"""A blend of links: shares and the decay of the history chosen by NDCG@10 on validation items, never on a test item."""

import logging
from collections.abc import Sequence

import numpy as np

from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import draw_negatives, score_unknown, split_fold
from millrace.evaluation.split import Fold
from millrace.recommend.link_model import LinkModel
from millrace.recommend.links import Links, merge_links
from millrace.recommend.top_items import Recommender

log = logging.getLogger(__name__)

SHORTLIST_ITEMS = 50  # items of each model that a blend may bring to the top
STEP_FACTORS = (0.0, 0.25, 0.5, 0.7, 1.4, 2.0, 4.0)
MAX_ROUNDS = 4
MAX_USERS = 10_000
POWERS = (0.5, 0.7, 1.0, 1.4, 2.0)


class Shortlist:
    """Per user, the scores of every model for the best items of each; trying shares on it takes milliseconds.

    With (users, m) `negatives` those are the items instead.
    """

    def __init__(self, models: Sequence[Recommender], fold: Fold, negatives: np.ndarray | None = None):
        self.scores: list[np.ndarray] = []
        self.targets: list[np.ndarray] = []
        for part, block in split_fold(fold):
            # NaN marks the history, below 0 is what no link speaks for.
            all_scores = [np.maximum(np.nan_to_num(score_unknown(model, block), nan=-1), 0) for model in models]
            shortlisted = _union_of_best(all_scores) if negatives is None else np.sort(negatives[part], axis=1)
            invalid = shortlisted == block.targets[:, None]
            invalid[:, 1:] |= shortlisted[:, 1:] == shortlisted[:, :-1]
            each = np.stack([np.take_along_axis(scores, shortlisted, axis=1) for scores in all_scores], axis=2)
            each[invalid] = -1
            self.scores.append(each.astype(np.float32))
            rows = np.arange(len(block))
            self.targets.append(
                np.column_stack([scores[rows, block.targets] for scores in all_scores]).astype(np.float32)
            )

    def scale(self) -> np.ndarray:
        """(models,) mean best score of each, so that shares of different models can be compared."""
        best = np.concatenate([part.max(axis=1) for part in self.scores])
        return np.maximum(best.mean(axis=0), 1e-9)

    def ndcg(self, shares: np.ndarray) -> float:
        """NDCG@10 of the blend; a target of which no model says anything is a miss."""
        total, users = 0.0, 0
        shares = shares.astype(np.float32)
        for scores, targets in zip(self.scores, self.targets, strict=True):
            others, own = scores @ shares, (targets @ shares)[:, None]
            gains = user_metrics((others > own).sum(axis=1), (others == own).sum(axis=1) + 1)[:, 1]
            total += float(gains[own[:, 0] > 0].sum())
            users += len(own)
        return total / max(users, 1)


def _union_of_best(scores: list[np.ndarray]) -> np.ndarray:
    size = min(SHORTLIST_ITEMS, scores[0].shape[1])
    return np.sort(np.hstack([np.argpartition(-one, size - 1, axis=1)[:, :size] for one in scores]), axis=1)


def search_shares(shortlist: Shortlist) -> tuple[np.ndarray, float]:
    """(models,) shares, found by changing one at a time for as long as that helps, and the NDCG@10 reached."""
    scale = shortlist.scale()
    best, reached = np.ones(len(scale)), shortlist.ndcg(1 / scale)
    for _ in range(MAX_ROUNDS):
        before = reached
        for layer in range(len(scale)):
            tries = [np.where(np.arange(len(scale)) == layer, best * factor, best) for factor in STEP_FACTORS]
            tries = [tried for tried in tries if tried.any()]
            values = [shortlist.ndcg(tried / scale) for tried in tries]
            if values and max(values) > reached:
                reached, best = max(values), tries[int(np.argmax(values))]
        if reached - before < 1e-5:
            break
    return best / scale, reached


def choose_blend(
    layers: Sequence[Links], popular: np.ndarray, validation: Fold, seed: int, negatives: bool = False
) -> tuple[np.ndarray, float]:
    """(layers,) shares and the power of the decay with the best NDCG@10 on the validation items."""
    fold = validation.sample(MAX_USERS, seed)
    sampled = draw_negatives(fold, seed) if negatives else None
    best: tuple[float, np.ndarray, float] | None = None
    models = [LinkModel(layer, popular) for layer in layers]
    for power in POWERS:
        shortlist = Shortlist([model.with_power(power) for model in models], fold, sampled)
        best_shares, reached = search_shares(shortlist)
        log.info("blend power %g: %.4f on the validation", power, reached)
        if best is None or reached > best[0]:
            best = reached, best_shares, power
    assert best is not None
    return best[1], best[2]


def make_blend(
    layers: Sequence[Links], weights: Sequence[float], power: float, popular: np.ndarray, keep: int | None = None
) -> LinkModel:
    """One model of the layers' links; `keep` strongest an item, or as many as `links.kept` allows."""
    return LinkModel(merge_links(layers, weights, power, keep), popular)
