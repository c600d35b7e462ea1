"""Training clusters of pages: the first version learns its space and k, later ones move the champion's centres."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

from millrace.errors import BadInputError
from millrace.pages import drift, update
from millrace.pages.learning import learn_space
from millrace.pages.model import ALGORITHM, PageClusters
from millrace.pages.profile import describe_clusters, name_clusters
from millrace.scoring.silhouette import mean_silhouette
from millrace.settings import settings
from millrace.training import dataset, offsets
from millrace.training.clusters.gate import ClusterVerdict
from millrace.training.clusters.kmeans import check_same_clusters
from millrace.training.context import TrainingContext
from millrace.training.page_clusters import frames
from millrace.training.page_clusters.fits import PreviousModel, fit_first, fit_next
from millrace.training.page_clusters.frames import SAMPLE_PAGES, PageFrame, PageSample
from millrace.workloads.base import PageModel

log = logging.getLogger(__name__)


def train_page_clusters(
    context: TrainingContext, models: Sequence[PageModel], windows: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Train the models on every window, oldest first."""
    for model in models:
        whole = dataset.deduplicate(context.rows, context.workload, context.audit.ranges)
        judged_on = frames.take_held_out(whole.rows, model)
        for window in windows:
            bounds = offsets.window_bounds(context.audit.ranges, window)
            records = whole if window == "all" else dataset.deduplicate(context.rows, context.workload, bounds)
            yield train_window(context, model, window, bounds, records, judged_on)
            if records is not whole:
                records.rows.unpersist()
        whole.rows.unpersist()


def train_window(
    context: TrainingContext,
    model: PageModel,
    window: str,
    bounds: offsets.Ranges,
    records: dataset.RecordSet,
    judged_on: PageSample,
) -> dict[str, Any]:
    """Fit or update on the records of a window, judge, publish and promote."""
    started, workload, registry = time.monotonic(), context.workload, context.registry
    if records.kept < 2 * max(model.k):
        least = 2 * max(model.k)
        sentence = (
            f"{model.name} has {records.kept} pages; allowed: at least {least} for up to {max(model.k)} clusters."
        )
        raise BadInputError(f"{sentence} Ingest more.", code="too_few_rows", field="rows")
    champion = registry.champion(workload.name, model.name)
    before = None
    if champion:
        manifest, arrays = registry.load(workload.name, model.name, champion.version)
        before = PreviousModel(manifest, PageClusters.load(arrays))
    sample = frames.take_sample(records.rows.where(~dataset.is_held_out()), model)
    kept_space = before.pages.space if before and not context.options.fresh else None
    space = kept_space or learn_space(sample, model.seed)
    read = before.manifest.data.offsets if before else {}
    frame = PageFrame.from_records(records, space, model, read)
    if before and kept_space:
        candidate = fit_next(frame, model, before, sample, judged_on)
    else:
        candidate = fit_first(frame, model, sample, before)
    verdict = judge_pages(candidate.pages, before, judged_on)
    assigned, sizes, inertia = frame.assign(candidate.pages)
    check_page_export(candidate.pages, assigned, records, model)
    profile = describe_clusters(sample, *candidate.pages.assign(sample), candidate.pages.k)
    kept = [
        before.labels[cluster] if before and candidate.same[cluster] else None for cluster in range(candidate.pages.k)
    ]
    names = name_clusters(profile, kept)
    moved = (
        measure_drift(before, candidate.pages, frame.take_new_sample(records, sample, model, read)) if before else None
    )
    fitted = frame.fitted
    parameters = {
        "k": candidate.pages.k,
        "seed": model.seed,
        "how": candidate.how,
        "silhouette_by_k": {str(k): round(value, 6) for k, value in sorted(candidate.silhouettes.items())},
        "sizes": sizes,
        "continued": candidate.same.tolist(),
        "new_pages": frame.new,
        "half_life": update.HALF_LIFE_PAGES,
        "profile": [{name: cluster[name] for name in ("words", "hosts", "examples", "share")} for cluster in profile],
        "drift": moved,
        "gate": verdict.sentence,
    }
    metrics = {
        "silhouette": candidate.silhouettes[candidate.pages.k],
        "held_out_silhouette": verdict.candidate,
        "inertia_per_row": inertia / fitted,
        **(moved or {}),
    }
    draft = context.draft(
        model.name,
        ALGORITHM,
        parameters,
        metrics,
        names={"label": names},
        window=window,
        offsets=union_ranges(bounds, read) if kept_space else bounds,
        rows=records.kept,
        fitted=fitted,
        held_out=records.kept - fitted,
        repeated=records.repeated,
        superseded=records.superseded,
    )
    manifest = registry.publish(draft, candidate.pages.arrays())
    context.write_assignments(assigned, model.name, manifest.version)
    promoted, reason = context.promote(model.name, manifest.version, champion, verdict.passed, verdict.sentence)
    assigned.unpersist()
    frame.rows.unpersist()
    quality = metrics["silhouette"]
    log.info(
        "%s %s: %s, k=%s, silhouette %.3f, %s",
        manifest.full_name,
        window,
        candidate.how,
        candidate.pages.k,
        quality,
        reason,
    )
    return context.describe(
        manifest,
        time.monotonic() - started,
        promoted,
        reason,
        k=candidate.pages.k,
        how=candidate.how,
        silhouette=round(quality, 4),
        drift=moved,
    )


def union_ranges(bounds: offsets.Ranges, read: offsets.Ranges) -> offsets.Ranges:
    """What an update has read, its champion's pages among it: a window of pages that were read takes none back."""
    parts = bounds.keys() | read.keys()
    ranges = {
        part: [ranges_of_one[part] for ranges_of_one in (bounds, read) if part in ranges_of_one] for part in parts
    }
    return {part: (min(first for first, _ in ends), max(last for _, last in ends)) for part, ends in ranges.items()}


def judge_pages(candidate: PageClusters, before: PreviousModel | None, judged_on: PageSample) -> ClusterVerdict:
    """Mean silhouettes of both models on the same held-out pages, in the candidate's space.

    That is the champion's own, but for a version that learnt everything anew.
    """
    space = judged_on.features(candidate.space)
    ours, margin = mean_silhouette(space, candidate.nearest(space)[0]) if len(space) else 0.0, settings().gate_margin
    if before is None:
        return ClusterVerdict(True, ours, None, None, margin, len(space))
    theirs = mean_silhouette(space, before.pages.assign(judged_on)[0]) if len(space) else 0.0
    return ClusterVerdict(ours >= theirs - margin, ours, theirs, before.manifest.version, margin, len(space))


def measure_drift(before: PreviousModel, after: PageClusters, new: PageSample) -> dict[str, float]:
    """How far the new pages are from what the champion was made of, and how far the centres went for them."""
    clusters, distances = before.pages.assign(new)
    measures = {
        "psi": drift.population_stability_index(
            before.manifest.parameters["sizes"], np.bincount(clusters, minlength=before.pages.k)
        ),
        "inertia_ratio": drift.inertia_ratio(distances, before.manifest.metrics["inertia_per_row"]),
    }
    if after.space is before.pages.space:  # in another space a centre's way has no length
        measures["moved"] = drift.centre_shift(before.pages.centres, after.centres)
    return {name: round(value, 6) for name, value in measures.items()}


def check_page_export(pages: PageClusters, assigned: DataFrame, records: dataset.RecordSet, model: PageModel) -> None:
    """Raises CorruptError unless the arrays that are published give pages the clusters that Spark gave them."""
    exported = PageClusters.load(pages.arrays())
    texts = records.rows.select("record_id", *frames.page_fields(model)).limit(SAMPLE_PAGES // 10)
    rows = texts.join(assigned.select("record_id", "cluster"), "record_id").toArrow()
    columns = {
        name: rows.column(field).to_pylist()
        for name, field in zip(frames.FIELD_NAMES, frames.page_fields(model), strict=True)
    }
    clusters, _ = exported.assign(columns)
    check_same_clusters(clusters, rows.column("cluster").to_numpy(), "pages", columns["url"].__getitem__)
