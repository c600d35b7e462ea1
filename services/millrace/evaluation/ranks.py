"""Where a model ranks the held-out item: among all items, or among sampled ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from millrace.errors import BadInputError
from millrace.evaluation.split import Fold
from millrace.recommend.top_items import Recommender

MAX_CELLS = 4_000_000  # scores at a time: 16 MB, and three more such blocks while they are compared
TOP_K = 10


@dataclass(frozen=True)
class Ranks:
    """`greater`, `tied`: (users,) int64, as metrics.per_user wants them; `answered`: items in anybody's top 10."""

    greater: np.ndarray
    tied: np.ndarray
    answered: int


def split_fold(fold: Fold, cells: int = MAX_CELLS) -> Iterator[tuple[slice, Fold]]:
    """The fold a few users at a time."""
    users = max(1, cells // max(fold.fit.item_count, 1))
    for start in range(0, len(fold), users):
        part = slice(start, min(start + users, len(fold)))
        yield part, Fold(fold.fit, fold.histories.take(np.arange(part.start, part.stop)), fold.targets[part])


def score_unknown(model: Recommender, fold: Fold) -> np.ndarray:
    """(users, items) scores with NaN in place of the history, which compares as neither better nor equal."""
    scores = model.batch(fold.histories)
    scores[fold.histories.users, fold.histories.items] = np.nan
    return scores


def rank_targets(
    model: Recommender,
    fold: Fold,
    negatives: np.ndarray | None = None,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> Ranks:
    """Ranks of the targets among all items but the history's, or among (users, m) `negatives`."""
    greater, tied = np.empty(len(fold), dtype=np.int64), np.empty(len(fold), dtype=np.int64)
    answered = np.zeros(fold.fit.item_count, dtype=bool)
    for part, block in split_fold(fold):
        scores = score_unknown(model, block)
        target = scores[np.arange(len(block)), block.targets][:, None]
        _mark_answered(scores, answered)
        others = scores if negatives is None else np.take_along_axis(scores, negatives[part], axis=1)
        greater[part] = (others > target).sum(axis=1)
        tied[part] = (others == target).sum(axis=1) + (0 if negatives is None else 1)
        progress(part.stop, len(fold))
    return Ranks(greater, tied, int(answered.sum()))


def _mark_answered(scores: np.ndarray, answered: np.ndarray) -> None:
    """Remember the items in each row's top 10; a score of 0 says nothing and is no answer."""
    top = min(TOP_K, scores.shape[1])
    best = np.argpartition(-scores, top - 1, axis=1)[:, :top]
    answered[best[np.take_along_axis(scores, best, axis=1) > 0]] = True


def draw_negatives(fold: Fold, seed: int, count: int = 100) -> np.ndarray:
    """(users, count) int64: distinct items of the catalogue, drawn uniformly, none of the history or the target."""
    size, users = fold.fit.item_count, len(fold)
    if users and size - 1 - int(fold.histories.lengths.max()) < count:
        raise BadInputError(
            f"{count} negatives are not to be had: of {size} items, a user knows {fold.histories.lengths.max()}; "
            "allowed: --protocol full.",
            field="protocol",
            allowed="full",
        )
    random = np.random.default_rng(seed)
    taken = np.concatenate([fold.histories.users * size + fold.histories.items, np.arange(users) * size + fold.targets])
    drawn = random.integers(0, size, (users, count))
    rows = np.arange(users)[:, None]
    while True:
        bad = np.isin(rows * size + drawn, taken)
        order = np.argsort(drawn, axis=1, kind="stable")
        ordered = np.take_along_axis(drawn, order, axis=1)
        again = np.zeros_like(bad)
        np.put_along_axis(again, order[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
        bad |= again
        if not (wrong := int(bad.sum())):
            return drawn
        drawn[bad] = random.integers(0, size, wrong)
