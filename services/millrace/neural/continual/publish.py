"""A state as a version of the registry: arrays in the serving form, judged, published, and promoted if it passed."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from millrace.errors import ConflictError, CorruptError, NotFoundError
from millrace.neural.continual.event_log import StreamEvent
from millrace.neural.continual.gate import judge_state, make_questions, score_questions
from millrace.neural.continual.state import TrainingState
from millrace.neural.continual.weights import checksum
from millrace.recommend import loading
from millrace.recommend.top_items import Recommender
from millrace.records.contract import compute_schema_hash
from millrace.registry.champion import Champion, explain_pin
from millrace.registry.code_version import find_code_version
from millrace.registry.manifest import DataSpec, Manifest, ManifestDraft
from millrace.registry.registry import NO_CHAMPION, Registry
from millrace.runtime.text_arrays import TextArray
from millrace.workloads.base import ANONYMOUS, RecommenderModel, Workload
from millrace.workloads.labels import make_labels

log = logging.getLogger(__name__)

SOURCE_NAME = "stream"
"""The snapshot id of what was read from the topic itself."""
MAX_VERSIONS_SEARCHED = 20  # versions among which a publication is found again after a kill


def to_served_arrays(state: TrainingState) -> tuple[Recommender, dict[str, np.ndarray]]:
    """The model and all arrays of a version but the names; items and users are sorted, as the registry wants them."""
    by_id = sorted(range(len(state.items)), key=lambda number: state.items.texts[number].encode())
    rank = np.empty(len(by_id), dtype=np.int32)
    rank[by_id] = np.arange(len(by_id), dtype=np.int32)
    plain = state.weights.network.eval().model(rank[state.taken.order])
    model = loading.load_model(plain.algorithm, plain.arrays() | {"factors": plain.weights["factors"][by_id]})
    _insist_on_agreement(state, model, rank)
    histories = state.histories
    users = sorted(
        (user for user in range(len(histories.walks)) if not histories.users.texts[user].startswith(ANONYMOUS)),
        key=lambda user: histories.users.texts[user].encode(),
    )
    kept = histories.sequences(len(by_id)).take(np.array(users, dtype=np.int64))
    texts = {
        "users": [histories.users.texts[user] for user in users],
        "item_ids": [state.items.texts[number] for number in by_id],
    }
    arrays = {"history_starts": kept.starts.astype(np.int64), "history_items": rank[kept.items]}
    for name, values in texts.items():
        arrays |= TextArray.from_texts(values).to_arrays(name)
    return model, model.arrays() | arrays


@torch.no_grad()
def _insist_on_agreement(state: TrainingState, model: Recommender, rank: np.ndarray) -> None:
    """Raises CorruptError where NumPy would answer otherwise than the network in PyTorch, on a few histories."""
    for walk in [walk for walk in state.histories.walks if len(walk)][:8]:
        history = np.array(walk[-state.plan.depth :])
        expected = state.weights.network.scores(torch.from_numpy(history[None].astype(np.int64))).numpy()[0]
        scores = model.scores(rank[history])[rank]
        finite = np.isfinite(scores)
        if not np.allclose(scores[finite], expected[finite], rtol=1e-3, atol=1e-3):
            raise CorruptError(
                f"NumPy's scores differ from PyTorch's by up to {np.abs(scores - expected)[finite].max():.4g}; "
                "allowed: 0.001. Nothing was published.",
                field="weights",
            )


class VersionPublisher:
    """Makes versions of states, as the gate allows."""

    def __init__(self, registry: Registry, workload: Workload, model: RecommenderModel) -> None:
        self.registry, self.workload, self.model = registry, workload, model

    def publish(self, state: TrainingState, held_out: Sequence[StreamEvent]) -> dict[str, Any]:
        """Judge the state on events that it has not learned from, publish it, and promote it if it passed.

        After a kill the same state is not published twice.
        """
        where = (self.workload.name, self.model.name)
        weights, progress = checksum(state.weights.arrays()), state.progress
        champion = self.registry.champion(*where)
        manifest = self._earlier(progress.batch, weights)
        if manifest is None:
            manifest = self._publish(state, weights, champion, held_out)
        passed = manifest.parameters["gate"].startswith("passed")
        promoted, reason = self._promote(manifest, champion) if passed else (False, manifest.parameters["gate"])
        log.info("%s %s: after micro-batch %s, %s", manifest.full_name, manifest.version, progress.batch, reason)
        return {"version": manifest.version, "promoted": promoted, "gate": reason, "metrics": manifest.metrics}

    def _earlier(self, batch: int, weights: str) -> Manifest | None:
        for version in reversed(self.registry.versions(self.workload.name, self.model.name)[-MAX_VERSIONS_SEARCHED:]):
            try:
                manifest = self.registry.manifest(self.workload.name, self.model.name, version)
            except (CorruptError, NotFoundError):
                continue
            parameters = manifest.parameters.get("continual", {})
            if (parameters.get("batch"), parameters.get("weights")) == (batch, weights):
                return manifest
        return None

    def _publish(
        self, state: TrainingState, weights: str, champion: Champion | None, held_out: Sequence[StreamEvent]
    ) -> Manifest:
        model, arrays = to_served_arrays(state)
        ids = TextArray.from_arrays(arrays, "item_ids").to_list()
        names, theirs, learned = {}, None, {}
        if champion:
            before, other = self.registry.load(self.workload.name, self.model.name, champion.version)
            known = TextArray.from_arrays(other, "item_ids").to_list()
            names = dict(zip(known, TextArray.from_arrays(other, "item_names"), strict=True))
            learned, theirs = before.data.offsets, (loading.load_model(before.algorithm, other), known)
        questions, left_out = make_questions(state, held_out, learned)
        metrics = score_questions(model, ids, questions)
        rival = (champion.version, score_questions(*theirs, questions)["ndcg"]) if champion and theirs else None
        verdict = judge_state(metrics["ndcg"], rival, len(questions), left_out)
        arrays |= make_labels(ids, names).to_arrays("item_names")
        return self.registry.publish(self._draft(state, weights, model.algorithm, metrics, verdict.sentence), arrays)

    def _draft(
        self, state: TrainingState, weights: str, algorithm: str, metrics: dict[str, float], sentence: str
    ) -> ManifestDraft:
        progress, plan, counts = state.progress, state.plan, state.progress.counts
        passes = round(plan.steps * (1 + plan.replay / plan.batch))
        return ManifestDraft(
            workload=self.workload.name,
            model=self.model.name,
            algorithm=algorithm,
            features=[],
            names={},
            schema_hash=compute_schema_hash(self.workload.record),
            parameters={
                # What a training of the lake fits in its stead, when it compares itself with this version.
                "recipe": {"model": plan.network, "version": "count", "epochs": progress.epochs or max(passes, 1)},
                "protocol": "prequential",
                "gate": sentence,
                "window_days": self.model.window,
                "half_life_days": self.model.half_life,
                "continual": {
                    "batch": progress.batch,
                    "step": progress.step,
                    "weights": weights,
                    "based_on": progress.based_on,
                    "watermark_ms": progress.watermark,
                    "counts": dict(progress.counts),
                    "plan": plan.learning,
                },
            },
            metrics={
                "ndcg@10": metrics["ndcg"],
                "hr@10": metrics["hr"],
                "mrr": metrics["mrr"],
                "prequential_hr@10": progress.hr(),
                "prequential_hr@10_of_all": progress.hr(recent=False),
            },
            data=DataSpec(
                table=self.workload.records_topic,
                snapshot_id=SOURCE_NAME,
                window="all",
                rows=progress.based_on_rows + counts["fresh"],
                fitted=progress.based_on_rows + counts["fresh"],
                held_out=0,
                without_features=counts["unreadable"] + counts["unknown"],
                repeated=counts["repeated"],
                offsets={
                    number: (progress.firsts[number], end - 1) for number, end in sorted(progress.positions.items())
                },
            ),
            code_version=find_code_version(),
        )

    def _promote(self, manifest: Manifest, champion: Champion | None) -> tuple[bool, str]:
        """Unless the champion is pinned, or another one came in the meantime, which the verdict was not about."""
        sentence = manifest.parameters["gate"]
        if champion and champion.version == manifest.version:
            return True, sentence
        if champion and champion.pin:
            return False, explain_pin(manifest.full_name, champion.version, champion.pin)
        if champion and champion.version not in sentence:
            return False, f"{champion.version} became champion since the version was judged; it was not promoted"
        try:
            etag = champion.etag if champion else NO_CHAMPION
            self.registry.promote(self.workload.name, self.model.name, manifest.version, expected_etag=etag)
        except ConflictError as error:
            return False, error.message
        return True, sentence
