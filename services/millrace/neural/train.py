"""Training in one torch.distributed group: the backend is gloo, every process takes its share of each epoch."""

import logging
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import rank_targets
from millrace.evaluation.split import Fold
from millrace.neural.batches import make_batches
from millrace.neural.network import NETWORKS
from millrace.recommend import loading
from millrace.recommend.popularity import rank_popular
from millrace.recommend.sequences import Sequences
from millrace.recommend.top_items import Recommender
from millrace.runtime.logs import start_logging

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NetworkPlan:
    """`size` is that of a batch over all processes; `seconds` a limit of processor time over all of them.

    `negatives` are drawn uniformly for each batch; 0 takes all items, at a cost in proportion. `network` is one of
    millrace.neural.network.NETWORKS.
    """

    network: str = "sasrec"
    width: int = 64
    heads: int = 2
    layers: int = 2
    depth: int = 50
    dropout: float = 0.5
    rate: float = 2e-3
    size: int = 256
    negatives: int = 1024
    epochs: int = 200
    every: int = 3
    patience: int = 12
    seconds: float = 1800.0
    processes: int = 2
    seed: int = 20261121


def fit_network(
    sequences: Sequences, validation: Fold | None = None, plan: NetworkPlan | None = None
) -> tuple[Recommender, int]:
    """The model of the epoch with the best NDCG@10 on the validation items, and which epoch that was.

    Without a validation it is that of the last epoch. The same seed and number of processes give the same model.
    """
    plan = plan or NetworkPlan()
    with tempfile.TemporaryDirectory(prefix="millrace-neural-") as folder:
        arguments = (plan, sequences, validation, folder)
        if plan.processes == 1:
            _run_process(0, *arguments)
        else:
            torch.multiprocessing.start_processes(_run_process, arguments, plan.processes, start_method="spawn")
        with np.load(Path(folder) / "best.npz") as archive:
            kept = {name: archive[name] for name in archive.files}
    epoch, algorithm = int(kept.pop("epoch")), str(kept.pop("algorithm"))
    return loading.load_model(algorithm, kept), epoch


def _run_process(rank: int, plan: NetworkPlan, sequences: Sequences, validation: Fold | None, folder: str) -> None:
    if multiprocessing.parent_process() is not None:
        start_logging()
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    store = f"file://{folder}/group"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=plan.processes)
    try:
        _train(rank, plan, sequences, validation, Path(folder))
    finally:
        distributed.destroy_process_group()


def _train(rank: int, plan: NetworkPlan, sequences: Sequences, validation: Fold | None, folder: Path) -> None:
    sizes = {name: getattr(plan, name) for name in ("width", "heads", "layers", "depth", "dropout")}
    network, popular = NETWORKS[plan.network](sequences.item_count, **sizes), rank_popular(sequences)
    torch.manual_seed(plan.seed + rank)  # dropout differs between processes, the first weights do not
    shared = DistributedDataParallel(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=0.01)
    share = {"depth": plan.depth, "size": max(plan.size // plan.processes, 1)}
    best, found_at, began = -1.0, 0, time.process_time()
    for epoch in range(1, plan.epochs + 1):
        network.train()
        losses = []
        for inputs, targets in make_batches(
            sequences, **share, seed=plan.seed + epoch, rank=rank, processes=plan.processes
        ):
            drawn = torch.randint(sequences.item_count, (plan.negatives,)) if plan.negatives else None
            loss = shared(torch.from_numpy(inputs), torch.from_numpy(targets), drawn)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        if epoch % plan.every and epoch < plan.epochs:
            continue
        model = None if rank else network.model(popular)
        reached, used = _validation_ndcg(model, validation), time.process_time() - began
        # One decision for all: a process that stopped alone would leave the others waiting.
        shown = torch.tensor([reached if rank == 0 else 0.0, used], dtype=torch.float64)
        distributed.all_reduce(shown)
        if rank == 0:
            log.info(
                "epoch %s: loss %.4f, %.4f on the validation, %.0f CPU s", epoch, np.mean(losses), shown[0], shown[1]
            )
        if float(shown[0]) > best or validation is None:
            best, found_at = float(shown[0]), epoch
            if model:
                _save_epoch(folder, model, epoch)
        if float(shown[1]) > plan.seconds or epoch - found_at >= plan.patience:
            break
    distributed.barrier()


def _validation_ndcg(model: Recommender | None, validation: Fold | None) -> float:
    """NDCG@10; 0 in the processes that only train, which have no model."""
    if model is None or validation is None:
        return 0.0
    ranked = rank_targets(model, validation)
    return float(user_metrics(ranked.greater, ranked.tied)[:, 1].mean())


def _save_epoch(folder: Path, model: Recommender, epoch: int) -> None:
    """As one file under another name first: a reader never sees half of it."""
    part = folder / "part.npz"
    np.savez(part, allow_pickle=False, **model.arrays(), algorithm=np.array(model.algorithm), epoch=np.array(epoch))
    os.replace(part, folder / "best.npz")
