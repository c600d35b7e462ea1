"""Generated pages by column, and a model of them without Spark."""

from functools import lru_cache
from random import Random

import numpy as np

from millrace.pages.learning import learn_space
from millrace.pages.model import PageClusters
from millrace.pages.space import PageSpace
from millrace.workloads.urls import Page
from millrace.workloads.urls.generator import generate_themed
from millrace.workloads.urls.themes import THEMES


@lru_cache(4)
def table(rows: int, seed: int = 1) -> tuple[dict[str, list[str]], np.ndarray]:
    """(columns, number of the theme of each page) of the accepted ones of so many generated rows."""
    numbers = {theme.name: number for number, theme in enumerate(THEMES)}
    results: list[tuple[int, Page]] = []
    for theme, row in generate_themed(Random(seed), rows):
        try:
            results.append((numbers[theme], Page.model_validate(row)))
        except ValueError:
            continue
    columns = {name: [getattr(page, name) for _, page in results] for name in ("url", "title", "keywords")}
    return columns, np.array([number for number, _ in results])


@lru_cache(1)
def space() -> PageSpace:
    return learn_space(table(1500)[0], 1)


def by_theme(rows: int = 1500, seed: int = 1) -> PageClusters:
    """A model whose centres are the means of the themes' pages."""
    columns, themes = table(rows, seed)
    features = space().features(columns).astype(np.float64)
    centres = np.array([features[themes == number].mean(axis=0) for number in range(len(THEMES))])
    return PageClusters(space(), centres, np.bincount(themes).astype(np.float64))
