"""Models made by hand from a workload's own declarations and generator, so that no training is needed."""

from random import Random

import numpy as np

from millrace.records.contract import schema_hash
from millrace.registry.manifest import DataSpec, Draft, FeatureSpec
from millrace.scoring.features import matrix
from millrace.workloads import workload as find
from millrace.workloads.base import Row


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


def made(workload: str, model: str, seed: int = 1, k: int | None = None) -> tuple[Draft, dict[str, np.ndarray]]:
    """A draft and its arrays: centres are k random rows; another seed gives another model."""
    declared = find(workload)
    spec = declared.model(model)
    assert spec is not None
    k = k or spec.k[len(spec.k) // 2]
    features = [FeatureSpec(field=f.field, transform=f.transform, default=f.default) for f in spec.features]
    records = [declared.record.model_validate(row).__dict__ for row in clean_rows(workload, 300, seed)]
    columns = {f.field: [record[f.field] for record in records] for f in features}
    values = matrix([f.model_dump() for f in features], columns)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    chosen = np.random.default_rng(seed).choice(np.unique(values, axis=0), k, replace=False)
    draft = Draft(
        workload=workload,
        model=model,
        algorithm="kmeans",
        features=features,
        names=spec.names(k),
        schema_hash=schema_hash(declared.record),
        parameters={"k": k, "seed": seed},
        metrics={"silhouette": 0.5},
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
    return draft, {"mean": mean, "scale": scale, "centres": (chosen - mean) / scale}
