"""Held-out users: what they had before a point, and what they took next, read from Spark into memory."""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from millrace.errors import BadInputError
from millrace.evaluation.selection import MAX_USERS
from millrace.evaluation.split import Fold
from millrace.recommend.sequences import Sequences
from millrace.training.events import EARLY, LAST, NEXT


@dataclass(frozen=True)
class HeldOutUsers:
    """What users had and took next: `validation` before NEXT ended, `test` from LAST on; they hold no fit."""

    validation: Fold
    test: Fold


def make_held_out_users(sequences: DataFrame, items: int) -> HeldOutUsers:
    """Questions from the known users with a new item in a part, MAX_USERS at most, the same ones for the same users.

    Raises BadInputError where nobody can be asked.
    """
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
