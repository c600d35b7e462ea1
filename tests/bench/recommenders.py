"""`python -m tests.bench.recommenders [--sequences FILE]`: our recommenders beside others' on one split.

Every model is fitted on the same sequences and ranks the same held-out items.
"""

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from millrace.evaluation.metrics import user_metrics
from millrace.evaluation.ranks import rank_targets
from millrace.evaluation.split import Fold, split_leave_one_out
from millrace.recommend import files
from millrace.recommend.sequences import Sequences
from millrace.runtime.logs import start_logging
from tests.bench.ours import ours
from tests.bench.peers.recommending import PEERS
from tests.bench.table import Line
from tests.bench.walks import walks

log = logging.getLogger("millrace.bench")

SIZES = {3_321: 20_000, 54_542: 30_000}  # users of the generated sequences by items
USERS, CELLS = 5_000, 60_000_000  # that are ranked; scores a model
QUESTIONS = 1_000
BESIDE = {"knn": "implicit BM25", "als": "implicit ALS", "ease": "Cornac EASE", "blend": "implicit ALS"}


@dataclass(frozen=True)
class Found:
    """Shares of 1, processor seconds of the fit, milliseconds of one top-10 answer; ours with its reasons."""

    name: str
    hr: float
    ndcg: float
    fit: float
    p50: float
    p99: float
    cpu: float


def timed(top: Callable[[Any], Any], questions: list[Any]) -> tuple[float, float, float]:
    """Milliseconds of the wall clock at p50 and p99, and of the processor in the mean."""
    for question in questions[:50]:
        top(question)
    spent, began = [], time.process_time()
    for question in questions:
        started = time.perf_counter()
        top(question)
        spent.append(time.perf_counter() - started)
    used = (time.process_time() - began) / len(questions)
    return float(np.percentile(spent, 50)) * 1e3, float(np.percentile(spent, 99)) * 1e3, used * 1e3


def compared(sequences: Sequences) -> Iterator[Found]:
    test = split_leave_one_out(sequences).test
    asked = test.sample(min(USERS, CELLS // sequences.item_count), 1)
    count = min(QUESTIONS, len(asked))
    for name, fit in ours(sequences.item_count).items():
        log.info("%s", name)
        began = time.process_time()
        model = fit(test.fit)
        seconds = time.process_time() - began
        questions = [asked.histories[user] for user in range(count)]
        yield Found(
            name, *quality(model, asked), seconds, *timed(lambda history, m=model: m.top(history, 10), questions)
        )
    for peer in PEERS:
        if peer.most is None or sequences.item_count <= peer.most:
            log.info("%s", peer.name)
            began = time.process_time()
            model = peer().fit(test.fit)
            seconds = time.process_time() - began
            questions = [model.question(asked.histories, user) for user in range(count)]
            yield Found(peer.name, *quality(model, asked), seconds, *timed(model.top, questions))


def quality(model: Any, fold: Fold) -> tuple[float, float]:
    ranked = rank_targets(model, fold)
    hit, ndcg, _ = user_metrics(ranked.greater, ranked.tied).mean(axis=0)
    return float(hit), float(ndcg)


def lines(items: int, result: list[Found]) -> Iterator[Line]:
    """Each of ours beside the peer of its kind, for the table of `make bench`."""
    by_name = {one.name: one for one in result}
    for name, peer in BESIDE.items():
        if name not in by_name or peer not in by_name:
            continue
        own, other = by_name[name], by_name[peer]
        what, detail = f"{name}, {items:,} items", {"own": vars(own), "peer": vars(other)}
        yield Line(f"{what}: NDCG@10", None, own.ndcg, "", peer, other.ndcg, detail=detail)
        yield Line(f"{what}: fit, processor", 10, own.fit, "s", peer, other.fit, True)
        yield Line(f"{what}: top 10, p50", 1, own.p50, "ms", peer, other.p50, True)


def measure(*_: Any) -> Iterator[Line]:
    for items, users in SIZES.items():
        yield from lines(items, list(compared(walks(users, items))))


def show(title: str, result: list[Found]) -> None:
    table = Table(box=box.SIMPLE, title=title, title_justify="left", title_style="")
    for head in ("model", "HR@10", "NDCG@10", "fit CPU s", "top 10 ms p50", "p99", "requests/s a core"):
        table.add_column(head, justify="left" if head == "model" else "right")
    for item in result:
        values = f"{item.hr:.4f}", f"{item.ndcg:.4f}", f"{item.fit:.1f}", f"{item.p50:.3f}", f"{item.p99:.3f}"
        table.add_row(item.name, *values, f"{1000 / item.cpu:,.0f}")
    Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recommenders", description=__doc__)
    parser.add_argument("--sequences", help="a file of sequences; generated ones of two sizes where left out")
    options = parser.parse_args()
    start_logging()
    sources = [(options.sequences, files.read_sequences(options.sequences))] if options.sequences else []
    sources = sources or [("generated", walks(users, items)) for items, users in SIZES.items()]
    for name, sequences in sources:
        result = list(compared(sequences))
        show(f"{name.rpartition('/')[2]}: {len(sequences)} users, {sequences.item_count} items", result)


if __name__ == "__main__":
    main()
