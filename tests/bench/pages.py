"""Pages scored per second by one core: the frozen model beside a scikit-learn pipeline on the same pages."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tests.bench.table import Line
from tests.pages.made import by_theme, table

PAGES, ROUNDS, K = 40_000, 3, 10
Columns = dict[str, list[str]]


def texts(columns: Columns) -> list[str]:
    return [" ".join(page) for page in zip(columns["url"], columns["title"], columns["keywords"], strict=True)]


def pipeline(columns: Columns) -> Callable[[Columns], np.ndarray]:
    """HashingVectorizer, whose buckets are as many as ours, into MiniBatchKMeans, fitted on pages."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.pipeline import make_pipeline

    made = make_pipeline(HashingVectorizer(n_features=2**14), MiniBatchKMeans(K, n_init=1, random_state=1))
    made.fit(texts(columns))
    return lambda asked: made.predict(texts(asked))


def per_second(score: Callable[[Columns], Any], columns: Columns) -> float:
    """The best of some rounds, by the processor's time."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        score(columns)
        spent.append(time.process_time() - began)
    return len(columns["url"]) / min(spent)


def measure(*_: Any) -> Iterator[Line]:
    model, (columns, themes) = by_theme(), table(PAGES, 7)
    with threadpool_limits(1):
        peer = pipeline(table(1500)[0])
        ours, theirs = per_second(model.assign, columns), per_second(peer, columns)
        item = per_second(partial(one_by_one, model.assign), {name: values[:2000] for name, values in columns.items()})
    agreement = float((model.assign(columns)[0] == themes).mean())
    detail = {"pages": len(themes), "in their theme's cluster": agreement, "alone": item}
    name = "scikit-learn, HashingVectorizer and MiniBatchKMeans"
    yield Line("pages scored, a core", 20_000, ours, "pages/s", name, theirs, detail=detail)


def one_by_one(score: Callable[[Columns], Any], columns: Columns) -> None:
    for page in range(len(columns["url"])):
        score({name: values[page : page + 1] for name, values in columns.items()})
