"""`python -m tests.bench.quality [FILE] [--rows N]`: clusters of pages beside those of other libraries.

All learn the same features, a window of the stream after the other, and are asked about the same pages. Generated pages
are taken where no file is given; these alone have themes to compare with.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.metrics import adjusted_rand_score

from millrace.ingest.check import RecordChecker
from millrace.ingest.publish import required_fields
from millrace.pages.learning import learn_space
from millrace.records.readers import open_source, read_rows
from millrace.scoring.silhouette import mean_silhouette
from millrace.workloads import find_workload
from tests.bench.peers.clustering import ALL
from tests.pages.made import table

WINDOWS, K, ASKED, SEED = 5, 10, 2000, 1
Columns = dict[str, list[str]]


@dataclass(frozen=True)
class Found:
    """`silhouette`, `themes` (adjusted Rand index with them) on the last window; `stable`, the mean adjusted Rand index
    between the models before and after each window, on that window's pages, and `numbers`, the share of these pages
    whose cluster has the same number in both. `seconds` of the processor a window."""

    name: str
    clusters: int
    silhouette: float
    stable: float
    numbers: float
    themes: float | None
    seconds: float


def read(file: str, most: int) -> Columns:
    """The accepted pages of a file by time of creation, by column."""
    urls = find_workload("urls")
    with open_source(file) as source:
        checker, result = RecordChecker(urls, source.name), []
        for row in read_rows(source, required_fields(urls)):
            if len(result) == most:
                break
            if hasattr(checker.check_row(row), "key"):
                result.append(urls.record.model_validate(row.values))
    result.sort(key=lambda page: page.creation_time)
    return {name: [getattr(page, name) for page in result] for name in ("url", "title", "keywords")}


def measured(columns: Columns, themes: np.ndarray | None) -> Iterator[Found]:
    size = len(columns["url"]) // WINDOWS
    spans = [slice(start * size, (start + 1) * size) for start in range(WINDOWS)]
    space = learn_space({name: values[spans[0]] for name, values in columns.items()}, SEED)
    features = space.features(columns).astype(np.float64)
    asked = [np.random.default_rng(SEED).choice(size, min(ASKED, size), replace=False) + span.start for span in spans]
    for kind in ALL:
        model, stable, same, spent = kind(K, SEED), [], [], 0.0
        for number, span in enumerate(spans):
            before = model.predict(features[asked[number]]) if number else None
            began = time.process_time()
            model.learn(features[span])
            spent += time.process_time() - began
            after = model.predict(features[asked[number]])
            if before is not None:
                stable.append(adjusted_rand_score(before, after))
                same.append(float((before == after).mean()))
        yield Found(
            model.name,
            len(set(after.tolist())),
            mean_silhouette(features[asked[-1]], after),
            float(np.mean(stable)),
            float(np.mean(same)),
            None if themes is None else float(adjusted_rand_score(themes[asked[-1]], after)),
            spent / WINDOWS,
        )


def show(title: str, result: list[Found]) -> None:
    made = Table(box=box.SIMPLE, title=title, title_justify="left", title_style="")
    for head in ("model", "clusters", "silhouette", "stable (ARI)", "same number", "themes (ARI)", "CPU s a window"):
        made.add_column(head, justify="left" if head == "model" else "right")
    for item in result:
        numbers = [f"{value:.3f}" for value in (item.silhouette, item.stable, item.numbers)]
        themes = "-" if item.themes is None else f"{item.themes:.3f}"
        made.add_row(item.name, str(item.clusters), *numbers, themes, f"{item.seconds:.2f}")
    Console(width=120).print(made)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.quality", description=__doc__)
    parser.add_argument("file", nargs="?", help="a file of pages; generated ones where left out")
    parser.add_argument("--rows", type=int, default=25_000, help="at most so many pages")
    options = parser.parse_args()
    columns, themes = (read(options.file, options.rows), None) if options.file else table(options.rows, SEED)
    name = options.file.rpartition("/")[2] if options.file else "generated"
    result = list(measured(columns, themes))
    show(f"{name}: {len(columns['url'])} pages in {WINDOWS} windows, k = {K}", result)


if __name__ == "__main__":
    main()
