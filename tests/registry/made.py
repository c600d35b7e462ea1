"""Models made by hand from a workload's own declarations and generator, so that no training is needed."""

from collections.abc import Iterable
from random import Random
from typing import Any

import numpy as np

from millrace.pages.learning import learn_space
from millrace.pages.model import PageClusters
from millrace.recommend.links import keep_strongest
from millrace.records.contract import compute_schema_hash
from millrace.registry.manifest import DataSpec, FeatureSpec, ManifestDraft
from millrace.runtime.text_arrays import TextArray
from millrace.scoring.features import make_matrix
from millrace.workloads import find_workload as find
from millrace.workloads.base import PageModel, RecommenderModel, Row, SalesModel


def clean_rows(workload: str, count: int, seed: int = 1) -> list[Row]:
    """Generated rows, as text, that the contract accepts and in which every field is known."""
    declared = find(workload)
    rows = []
    for row in declared.generate(Random(seed), count * 2):
        if declared.fault(row):
            continue
        try:
            record = declared.record.model_validate(row)
        except ValueError:
            continue
        if None not in record.__dict__.values():
            rows.append(row)
    return rows[:count]


def made(workload: str, model: str, seed: int = 1, k: int | None = None) -> tuple[ManifestDraft, dict[str, np.ndarray]]:
    """A draft and its arrays: centres are k random rows; another seed gives another model."""
    declared = find(workload)
    spec = declared.model(model)
    assert spec is not None
    if isinstance(spec, RecommenderModel):
        return draft(workload, model, "linked", {}), recommender(seed)
    if isinstance(spec, SalesModel):
        return draft(workload, model, "sales", {"by": dict(spec.by)}), sales(tuple(spec.by), seed)
    k = k or spec.k[len(spec.k) // 2]
    if isinstance(spec, PageModel):
        names = {"label": [f"subject {number}" for number in range(k)]}
        return draft(workload, model, "pages", {"k": k, "seed": seed}, names=names), pages(workload, spec, k, seed)
    features = [FeatureSpec(field=f.field, transform=f.transform, default=f.default) for f in spec.features]
    records = [declared.record.model_validate(row).__dict__ for row in clean_rows(workload, 300, seed)]
    columns = {f.field: [record[f.field] for record in records] for f in features}
    values = make_matrix([f.model_dump() for f in features], columns)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    chosen = np.random.default_rng(seed).choice(np.unique(values, axis=0), k, replace=False)
    result = draft(workload, model, "kmeans", {"k": k, "seed": seed}, features=features, names=spec.names(k))
    return result, {"mean": mean, "scale": scale, "centres": (chosen - mean) / scale}


def draft(
    workload: str, model: str, algorithm: str, parameters: dict[str, Any], features=(), names=None
) -> ManifestDraft:
    return ManifestDraft(
        workload=workload,
        model=model,
        algorithm=algorithm,
        features=list(features),
        names=names or {},
        schema_hash=compute_schema_hash(find(workload).record),
        parameters=parameters,
        metrics={"silhouette": 0.5} if algorithm in ("kmeans", "pages") else {"ndcg@10": 0.1},
        data=DataSpec(
            table=f"millrace.{workload}",
            snapshot_id="8236482374234872343",
            window="all",
            rows=300,
            fitted=240,
            held_out=60,
            without_features=0,
            offsets={"0": (0, 149), "1": (0, 149)},
        ),
        code_version="test",
    )


def pages(workload: str, spec: PageModel, k: int, seed: int = 1) -> dict[str, np.ndarray]:
    """A space learnt from generated pages, and k of them as centres."""
    records = [find(workload).record.model_validate(row).__dict__ for row in clean_rows(workload, 300, seed)]
    fields = {"url": spec.url, "title": spec.title, "keywords": spec.keywords}
    columns = {name: [record[field] for record in records] for name, field in fields.items()}
    space = learn_space(columns, seed)
    chosen = np.random.default_rng(seed).choice(len(records), k, replace=False)
    return PageClusters(space, space.features(columns)[chosen].astype(np.float64), np.full(k, 300 / k)).arrays()


def recommender(seed: int = 1, items: int = 60, users: int = 40) -> dict[str, np.ndarray]:
    """Random links between `items`, the last of which nobody knows, and histories with repeated items in them."""
    random = np.random.default_rng(seed)
    dense = random.random((items, items)) * (random.random((items, items)) < 0.2)
    dense[:, -1] = dense[-1] = 0
    links = keep_strongest([dense], items)
    lengths = random.integers(1, 12, users)
    return {
        "starts": links.starts,
        "neighbours": links.neighbours,
        "weights": links.weights,
        "by_age": links.by_age,
        "popular": random.permutation(items - 1).astype(np.int32),
        "history_starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "history_items": random.integers(0, items - 1, lengths.sum()).astype(np.int32),
        **text_arrays(
            users=sorted(f"U{user}" for user in range(users)),
            item_ids=[f"I{item:03}" for item in range(items)],
            item_names=[f"Món {item}" for item in range(items)],
        ),
    }


def text_arrays(**texts: Iterable[str]) -> dict[str, np.ndarray]:
    """The arrays of texts by name."""
    pairs = [TextArray.from_texts(values).to_arrays(name) for name, values in texts.items()]
    return {name: array for pair in pairs for name, array in pair.items()}


def sales(by: tuple[str, ...], seed: int = 1, days: int = 400) -> dict[str, np.ndarray]:
    """Random sums of `days` days, the first of them without a time."""
    random = np.random.default_rng(seed)
    day = np.concatenate([[-1], 18_262 + np.arange(days - 1)]).astype(np.int32)
    result = text_arrays(customer_ids=sorted(f"C{one}" for one in range(30)))

    def sums(rows: int, prefix: str, *more: str) -> dict[str, np.ndarray]:
        return {f"{prefix}_{one}": random.integers(1, 10_000, rows) for one in ("revenue", "orders", "items", *more)}

    result |= {"day": day} | sums(days, "day")
    result |= {"customer_day": np.repeat(day, 2), "customer": random.integers(0, 30, 2 * days).astype(np.int32)}
    result |= sums(2 * days, "customer")
    for name in by:
        result |= text_arrays(**{f"{name}_values": sorted(["", *(f"{name} {one}" for one in range(15))])})
        result |= {f"{name}_day": np.repeat(day, 3), name: random.integers(0, 16, 3 * days).astype(np.int32)}
        result |= sums(3 * days, name, "lowest", "highest")
    return result
