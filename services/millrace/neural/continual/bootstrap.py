"""The first state: the newest published version of the network with its users' histories, or nothing at all."""

import logging
from dataclasses import replace

import numpy as np

from millrace.neural.continual.histories import HistoryTable, TextTable
from millrace.neural.continual.plan import ContinualPlan
from millrace.neural.continual.state import TrainingState
from millrace.neural.continual.weights import NetworkWeights
from millrace.recommend import loading
from millrace.recommend.attention import AttentionModel
from millrace.registry.manifest import Manifest
from millrace.registry.registry import Registry
from millrace.runtime.text_arrays import TextArray
from millrace.workloads.base import RecommenderModel, Workload

log = logging.getLogger(__name__)

ALGORITHMS = {"sasrec": "attention", "bert4rec": "masked_attention"}


def start_state(plan: ContinualPlan, workload: Workload, model: RecommenderModel, registry: Registry) -> TrainingState:
    """Weights, items, histories and offsets of the newest version of this network, whether it was promoted or not."""
    for manifest in reversed(registry.manifests(workload.name, model.name)):
        if manifest.algorithm == ALGORITHMS[plan.network]:
            _, arrays = registry.load(workload.name, model.name, manifest.version)
            state = state_from_version(plan, model, manifest, arrays)
            log.info("%s: starts from %s, %s items", manifest.full_name, manifest.version, len(state.items))
            return state
    log.info("%s/%s: no version of %s is published; starts from nothing", workload.name, model.name, plan.network)
    return TrainingState.make_empty(plan, model.window)


def state_from_version(
    plan: ContinualPlan, model: RecommenderModel, manifest: Manifest, arrays: dict[str, np.ndarray]
) -> TrainingState:
    """The state after everything that the version has learned from; its sizes count, not those of the plan.

    The replay buffer is a sample of the histories. What is popular begins with the counts of the histories, which say
    nothing of when.
    """
    served = loading.load_model(manifest.algorithm, arrays)
    assert isinstance(served, AttentionModel)
    plan = replace(
        plan,
        width=served.weights["factors"].shape[1],
        heads=int(served.weights["heads"][0]),
        layers=len(served.weights["qkv_weight"]),
        depth=served.depth,
    )
    state = TrainingState.make_empty(plan, model.window)
    state.items = TextTable(TextArray.from_arrays(arrays, "item_ids"))
    state.weights = NetworkWeights(plan, len(state.items))
    state.weights.take_up(served.weights)
    state.histories = _histories(arrays)
    walks = state.histories.walks
    places = np.array([(user, place) for user, walk in enumerate(walks) for place in range(1, len(walk))])
    # In an order of chance: the reservoir's own draws take it from there.
    state.replay.offer(np.random.default_rng(plan.seed).permutation(places.reshape(-1, 2).astype(np.int64)))
    state.taken.grow(len(state.items))
    state.taken.whole += np.bincount(state.histories.sequences(0).items, minlength=len(state.items))
    # Known from users who are not kept by name, such as sessions: it may be answered, last of all.
    state.taken.whole[arrays["popular"]] = np.maximum(state.taken.whole[arrays["popular"]], 1)
    progress = state.progress
    for number, (first, last) in manifest.data.offsets.items():
        progress.firsts[number], progress.positions[number] = first, last + 1
    progress.based_on, progress.based_on_rows = manifest.version, manifest.data.rows
    progress.epochs = int(manifest.parameters.get("recipe", {}).get("epochs", 0))
    return state


def _histories(arrays: dict[str, np.ndarray]) -> HistoryTable:
    made = HistoryTable()
    starts, flat = arrays["history_starts"].tolist(), arrays["history_items"].tolist()
    for index, user in enumerate(TextArray.from_arrays(arrays, "users")):
        for item in flat[starts[index] : starts[index + 1]]:
            made.add(user, item)
    return made
