"""Training clusters of records: fit on each window, judge on held-out records, publish, promote."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.sql import DataFrame

from millrace.registry.manifest import FeatureSpec
from millrace.training import dataset, offsets
from millrace.training.clusters import gate, kmeans
from millrace.training.context import TrainingContext
from millrace.workloads.base import ClusterModel

log = logging.getLogger(__name__)

MAX_GATE_RECORDS = 50_000  # held-out records on which the gate judges; more would not change two digits


def train_clusters(
    context: TrainingContext, models: Sequence[ClusterModel], windows: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Train the models on every window, oldest first: the records of a window are read once for all of them."""
    if not models:
        return
    whole = dataset.deduplicate(context.rows, context.workload, context.audit.ranges)
    judged_on = _take_held_out(context, whole.rows)
    for window in windows:
        bounds = offsets.window_bounds(context.audit.ranges, window)
        records = whole if window == "all" else dataset.deduplicate(context.rows, context.workload, bounds)
        for model in models:
            yield train_window(context, model, window, bounds, records, judged_on)
        if records is not whole:
            records.rows.unpersist()
    whole.rows.unpersist()


def train_window(
    context: TrainingContext,
    model: ClusterModel,
    window: str,
    bounds: offsets.Ranges,
    records: dataset.RecordSet,
    judged_on: dict[str, list[Any]],
) -> dict[str, Any]:
    """Fit on the records of a window, judge, publish and promote."""
    started = time.monotonic()
    workload = context.workload
    frame = dataset.compute_features(records, model)
    fit = kmeans.fit_kmeans(frame, model)
    features = [
        FeatureSpec(field=feature.field, transform=feature.transform, default=feature.default)
        for feature in model.features
    ]
    champion = context.registry.champion(workload.name, model.name)
    before = gate.load_champion_model(context.registry, champion, workload.name, model.name)
    verdict = gate.judge_clusters(fit.scorer, features, judged_on, before)
    sizes = {row.cluster: row["count"] for row in fit.assigned.groupBy("cluster").count().collect()}
    usable = sum(sizes.values())
    parameters = {
        "k": fit.k,
        "seed": model.seed,
        "silhouette_by_k": {str(k): round(value, 6) for k, value in sorted(fit.silhouettes.items())},
        "sizes": [sizes.get(number, 0) for number in range(fit.k)],
        "gate": verdict.sentence,
    }
    metrics = {
        "silhouette": fit.silhouettes[fit.k],
        "held_out_silhouette": verdict.candidate,
        "inertia_per_row": fit.inertia / fit.fitted,
    }
    draft = context.draft(
        model.name,
        "kmeans",
        parameters,
        metrics,
        features=features,
        names=model.names(fit.k),
        window=window,
        offsets=bounds,
        rows=records.kept,
        fitted=fit.fitted,
        held_out=usable - fit.fitted,
        without_features=records.kept - usable,
        repeated=records.repeated,
        superseded=records.superseded,
    )
    manifest = context.registry.publish(draft, fit.scorer.arrays())
    context.write_assignments(fit.assigned, model.name, manifest.version)
    promoted, reason = context.promote(model.name, manifest.version, champion, verdict.passed, verdict.sentence)
    fit.assigned.unpersist()
    frame.unpersist()
    silhouette = fit.silhouettes[fit.k]
    log.info("%s %s: k=%s, silhouette %.3f, %s", manifest.full_name, window, fit.k, silhouette, reason)
    seconds = time.monotonic() - started
    return context.describe(manifest, seconds, promoted, reason, k=fit.k, silhouette=round(silhouette, 4))


def _take_held_out(context: TrainingContext, rows: DataFrame) -> dict[str, list[Any]]:
    """Held-out records of the whole snapshot by column, the first MAX_GATE_RECORDS by id: every gate sees these."""
    fields = sorted({feature.field for model in context.workload.clusterings for feature in model.features})
    chosen = rows.where(dataset.is_held_out()).orderBy("record_id").limit(MAX_GATE_RECORDS).select(*fields)
    return {name: column.to_pylist() for name, column in zip(fields, chosen.toArrow().columns, strict=True)}
