"""The gate of a continual training: events that were read and not yet learned from, asked of both versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from millrace.evaluation.gate import RecommenderVerdict, judge
from millrace.evaluation.metrics import METRIC_NAMES, user_metrics
from millrace.evaluation.ranks import rank_targets
from millrace.evaluation.split import Fold
from millrace.neural.continual.event_log import StreamEvent
from millrace.neural.continual.state import TrainingState
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import Recommender
from millrace.workloads.base import ANONYMOUS

MIN_USERS = 20
"""Users below whom two numbers say nothing."""


@dataclass(frozen=True)
class HeldOutQuestion:
    """A known user's history and first new item of the held-out events, by their ids."""

    history: list[str]
    target: str


def make_questions(
    state: TrainingState, events: Sequence[StreamEvent], learned: Mapping[str, tuple[int, int]]
) -> tuple[list[HeldOutQuestion], int]:
    """One question a user, and how many were left out because the champion has `learned` from their offsets."""
    by_user: dict[str, HeldOutQuestion | None] = {}
    for event in events:
        if event.user is None or event.user in by_user or event.user.startswith(ANONYMOUS):
            continue
        history = [state.items.texts[item] for item in state.histories.walk(event.user)]
        if not history or event.item in history:
            continue
        known = event.offset <= learned.get(str(event.partition), (0, -1))[1]
        by_user[event.user] = None if known else HeldOutQuestion(history, event.item)
    questions = [question for question in by_user.values() if question is not None]
    return questions, len(by_user) - len(questions)


def score_questions(
    model: Recommender, item_ids: Sequence[str], questions: Sequence[HeldOutQuestion]
) -> dict[str, float]:
    """HR@10, NDCG@10 and MRR by name; a target that the model does not know is a miss, and counts."""
    numbers = {item: number for number, item in enumerate(item_ids)}
    known = [question for question in questions if question.target in numbers]
    walks = [[numbers[item] for item in question.history if item in numbers] for question in known]
    starts = np.concatenate([[0], np.cumsum([len(walk) for walk in walks], dtype=np.int64)]).astype(np.int64)
    flat = np.array([item for walk in walks for item in walk], dtype=np.int32)
    histories = Sequences(flat, starts, len(numbers))
    fold = Fold(histories, histories, np.array([numbers[question.target] for question in known], dtype=np.int64))
    ranked = rank_targets(model, fold)
    sums = user_metrics(ranked.greater, ranked.tied).sum(axis=0)
    return dict(zip(METRIC_NAMES, (float(value) / max(len(questions), 1) for value in sums), strict=True))


def judge_state(ours: float, champion: tuple[str, float] | None, users: int, left_out: int) -> RecommenderVerdict:
    """As in every other training; refused where too few users are left to compare the two."""
    if champion and users < MIN_USERS:
        return RecommenderVerdict(
            False,
            f"refused: {users} held-out users are too few to compare with {champion[0]}, allowed: {MIN_USERS} and "
            f"more; it was itself trained on the events of {left_out} others",
        )
    return judge(ours, champion, users)
