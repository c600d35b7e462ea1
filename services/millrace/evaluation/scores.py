"""One model's line of a table: its metrics on the held-out items, with intervals, and what was chosen for it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from millrace.evaluation.bootstrap import bootstrap_intervals
from millrace.evaluation.metrics import METRIC_NAMES, user_metrics
from millrace.evaluation.ranks import rank_targets
from millrace.evaluation.recipes import FittedRecipe
from millrace.evaluation.split import Fold

TOP_K = 10
COLUMNS = {"hr": f"hr@{TOP_K}", "ndcg": f"ndcg@{TOP_K}", "mrr": "mrr"}


def score_recipe(
    fitted: FittedRecipe,
    test: Fold,
    negatives: np.ndarray | None = None,
    seed: int = 0,
    progress: Callable[[float, float], None] = lambda done, total: None,
) -> dict[str, Any]:
    """What was measured, as shares of 1, and what was chosen; `ci95` are 95% bounds by the bootstrap over users.

    `coverage` is the share of all items that stand in the top 10 of anybody. Among (users, m) `negatives` where given.
    """
    ranked = rank_targets(fitted.model, test, negatives, progress)
    values = user_metrics(ranked.greater, ranked.tied, TOP_K)
    low, high = bootstrap_intervals(values, seed)
    means = zip(METRIC_NAMES, values.mean(axis=0), strict=True)
    return {
        "model": fitted.recipe.model,
        "version": fitted.recipe.version,
        **{COLUMNS[name]: round(float(mean), 5) for name, mean in means},
        "coverage": round(ranked.answered / test.fit.item_count, 4),
        "ci95": {
            COLUMNS[name]: [round(float(low[index]), 5), round(float(high[index]), 5)]
            for index, name in enumerate(METRIC_NAMES)
        },
        "options": fitted.recipe.describe(),
    }


def format_entry(entry: dict[str, Any]) -> str:
    """An entry as a line of the log."""
    name = f"{entry['model']}, {entry['version']}"
    return f"{name}: HR@10 {entry['hr@10']:.4f}, NDCG@10 {entry['ndcg@10']:.4f} on the test"
