"""Test, then train: what one micro-batch does to the state, alike in every worker of the group.

Prequential measurement: Gama, Sebastiao and Rodrigues, "On evaluating stream learning algorithms" (2013).
"""

from dataclasses import dataclass

import numpy as np
import torch

from millrace.evaluation.metrics import user_metrics
from millrace.neural.batches import pad
from millrace.neural.continual.event_log import OffsetRanges, StreamEvent
from millrace.neural.continual.group import WorkerGroup
from millrace.neural.continual.state import RECENT_BATCHES, TrainingState
from millrace.neural.continual.weights import checksum
from millrace.workloads.base import ANONYMOUS

MAX_STEP_ROWS = 128  # sequences at a time; of about the same length, so that little is padded


@dataclass(frozen=True)
class StreamQuestion:
    """A user's next item, asked before it is learned: the history is what came before `position`."""

    user: int
    position: int
    item: int


@dataclass(frozen=True)
class BatchOutcome:
    """`hits` of HR@10 is not whole where scores are tied; `loss` is the mean of the last step."""

    asked: int
    hits: float
    loss: float


class Learner:
    """Applies micro-batches to a state; each worker of a group has one."""

    def __init__(self, state: TrainingState, group: WorkerGroup | None = None):
        self.state, self.group = state, group or WorkerGroup()

    def learn(self, cut: OffsetRanges, events: list[StreamEvent]) -> BatchOutcome:
        """One micro-batch: count it, ask about it, train on it. Every worker must be given the same."""
        state, progress = self.state, self.state.progress
        known = len(state.items)
        questions, fresh = self._record_events(events, known)
        hits = self._count_hits([one for one in questions if one.item < known], known)
        state.weights.grow(len(state.items))
        loss = 0.0
        for _ in range(state.plan.steps):
            loss = self._step(fresh)
            progress.step += 1
        state.replay.offer(np.array([one for one in fresh if one[1]], dtype=np.int64).reshape(-1, 2))
        progress.batch += 1
        progress.counts["read"] += len(events)
        progress.counts["asked"] += len(questions)
        progress.counts["new"] += sum(one.item >= known for one in questions)
        progress.hits += hits
        progress.recent = [*progress.recent, (len(questions), hits)][-RECENT_BATCHES:]
        progress.watermark = max([progress.watermark, *(event.timestamp for event in events)])
        for number, (first, end) in cut.items():
            progress.firsts.setdefault(str(number), first)
            progress.positions[str(number)] = end
        return BatchOutcome(len(questions), hits, loss)

    def checksum(self) -> str:
        """Of everything that is kept; equal in all workers, or the group has gone wrong."""
        return checksum(self.state.arrays())

    def _record_events(
        self, events: list[StreamEvent], known: int
    ) -> tuple[list[StreamQuestion], list[tuple[int, int]]]:
        """Histories grown by the events; what can be asked about them, and (user, place) of each that is new."""
        state, counts = self.state, self.state.progress.counts
        questions: list[StreamQuestion] = []
        fresh: list[tuple[int, int]] = []
        times: list[float | None] = []
        for event in events:
            if event.user is None:
                counts["unreadable"] += 1
                continue
            if event.item not in state.items.numbers and len(state.items) >= state.plan.items:
                counts["unknown"] += 1
                continue
            item = state.items.add(event.item)
            placed = state.histories.add(event.user, item)
            if placed is None:
                counts["repeated"] += 1
                continue
            fresh.append(placed)
            times.append(event.at)
            # An unknown customer's session is learned from, and never asked for; as in a training of the lake.
            if placed[1] and not event.user.startswith(ANONYMOUS):
                questions.append(StreamQuestion(*placed, item))
        counts["fresh"] += len(fresh)
        state.taken.grow(len(state.items))
        state.taken.add([state.histories.walks[user][place] for user, place in fresh], times)
        return questions, fresh

    @torch.no_grad()
    def _count_hits(self, questions: list[StreamQuestion], known: int) -> float:
        """Hits among the first ten of all items but the history's, the questions shared out over the group."""
        network, hits = self.state.weights.network.eval(), 0.0
        never = torch.from_numpy(self.state.taken.whole[:known] == 0)
        by_length: dict[int, list[tuple[list[int], StreamQuestion]]] = {}
        for question in questions[self.group.rank :: self.group.processes]:
            walk = self.state.histories.walks[question.user][: question.position]
            # Items that came up in this very micro-batch have no weights yet.
            history = [item for item in walk if item < known]
            by_length.setdefault(min(len(history), self.state.plan.depth), []).append((history, question))
        for length, asked in sorted(by_length.items()):
            if not length:
                continue  # all of the history is new: nothing can be said, which is a miss
            scores = network.scores(torch.tensor([history[-length:] for history, _ in asked]))[:, :known]
            scores[:, never] = -torch.inf  # as in the serving form: noise of the start is no answer
            for row, (history, question) in zip(scores, asked, strict=True):
                row[history] = torch.nan
                target = row[question.item]
                better, equal = int((row > target).sum()), int((row == target).sum())
                if target > -torch.inf:
                    hits += float(user_metrics(np.array([better]), np.array([equal]))[0, 0])
        return float(self.group.sum(torch.tensor([hits], dtype=torch.float64)))

    def _step(self, fresh: list[tuple[int, int]]) -> float:
        """One step on the new events and a draw of the replay buffer; the gradient is that of all workers' sequences.

        Of each sequence the items before the last are learned once more: that is what SASRec's loss is made of.
        """
        state, plan, group = self.state, self.state.plan, self.group
        last = dict(sorted(fresh))  # of a user with several events the newest, whose walk holds the others
        drawn = state.replay.draw(plan.replay, state.progress.step)
        places = [*last.items(), *drawn.tolist()]
        walks = [state.histories.until(user, position, plan.depth + 1) for user, position in places]
        walks = sorted((walk for walk in walks if len(walk) > 1), key=len)
        targets = sum(len(walk) - 1 for walk in walks)
        if not targets:
            return 0.0
        network = state.weights.network.train()
        seed = np.random.SeedSequence((plan.seed, 3, state.progress.step, group.rank)).generate_state(1)[0]
        torch.manual_seed(int(seed))
        loss, own = 0.0, walks[group.rank :: group.processes]
        for start in range(0, len(own), MAX_STEP_ROWS):
            part = own[start : start + MAX_STEP_ROWS]
            inputs, after = (torch.from_numpy(array) for array in pad(part))
            some = plan.negatives and plan.negatives < network.count
            negatives = torch.randint(network.count, (plan.negatives,)) if some else None
            share = sum(len(walk) - 1 for walk in part) / targets
            batch_loss = network(inputs, after, negatives) * share
            batch_loss.backward()
            loss += batch_loss.item()
        self._reduce(list(network.parameters()))
        state.weights.step()
        return float(group.sum(torch.tensor([loss], dtype=torch.float64)))

    def _reduce(self, parameters: list[torch.nn.Parameter]) -> None:
        """Sum the gradients over the group in one message; a worker without a sequence adds zeros."""
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        whole = self.group.sum(torch.cat([parameter.grad.flatten() for parameter in parameters]))
        start = 0
        for parameter in parameters:
            parameter.grad.copy_(whole[start : start + parameter.numel()].view_as(parameter))
            start += parameter.numel()
