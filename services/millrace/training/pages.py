"""Training clusters of pages: the first version learns its space and k, later ones move the champion's centres."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from millrace.errors import BadInput
from millrace.pages import drift, update
from millrace.pages.learning import learn
from millrace.pages.model import ALGORITHM, Pages
from millrace.pages.profile import labels, profiles
from millrace.scoring.silhouette import silhouette
from millrace.settings import settings
from millrace.training import dataset, offsets, paged
from millrace.training.gate import Verdict
from millrace.training.kmeans import refuse_difference
from millrace.training.page_fits import Before, first, later
from millrace.training.paged import SAMPLE, Frame, Sample
from millrace.workloads.base import PageModel


def run(training: Any, model: PageModel, windows: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Train on every window, oldest first; `training` is training.train.Training."""
    workload = training.workload
    whole = dataset.records(training.rows, workload, training.audit.ranges)
    judged_on = paged.held_out(whole.rows, model)
    for window in windows:
        bounds = offsets.window_bounds(training.audit.ranges, window)
        records = whole if window == "all" else dataset.records(training.rows, workload, bounds)
        yield train(training, model, window, bounds, records, judged_on)
        if records is not whole:
            records.rows.unpersist()
    whole.rows.unpersist()


def train(
    training: Any, model: PageModel, window: str, bounds: offsets.Ranges, records: dataset.Records, judged_on: Sample
) -> dict[str, Any]:
    """Fit or update on the records of a window, judge, publish and promote."""
    started, workload, registry = time.monotonic(), training.workload, training.registry
    if records.kept < 2 * max(model.k):
        least = 2 * max(model.k)
        sentence = (
            f"{model.name} has {records.kept} pages; allowed: at least {least} for up to {max(model.k)} clusters."
        )
        raise BadInput(f"{sentence} Ingest more.", code="too_few_rows", field="rows")
    champion = registry.champion(workload.name, model.name)
    before = None
    if champion:
        manifest, arrays = registry.load(workload.name, model.name, champion.version)
        before = Before(manifest, Pages.load(arrays))
    sample = paged.sample(records.rows.where(~dataset.held_out()), model)
    kept_space = before.pages.space if before and not training.options.fresh else None
    space = kept_space or learn(sample, model.seed)
    read = before.manifest.data.offsets if before else {}
    frame = Frame.of(records, space, model, read)
    if before and kept_space:
        candidate = later(frame, model, before, sample, judged_on)
    else:
        candidate = first(frame, model, sample, before)
    verdict = judge(candidate.pages, before, judged_on)
    assigned, sizes, inertia = frame.assigned(candidate.pages)
    check_export(candidate.pages, assigned, records, model)
    profile = profiles(sample, *candidate.pages.assign(sample), candidate.pages.k)
    kept = [
        before.labels[cluster] if before and candidate.same[cluster] else None for cluster in range(candidate.pages.k)
    ]
    names = labels(profile, kept)
    moved = drifted(before, candidate.pages, frame.new_sample(records, sample, model, read)) if before else None
    fitted = frame.fitted
    parameters = {
        "k": candidate.pages.k,
        "seed": model.seed,
        "how": candidate.how,
        "silhouette_by_k": {str(k): round(value, 6) for k, value in sorted(candidate.silhouettes.items())},
        "sizes": sizes,
        "continued": candidate.same.tolist(),
        "new_pages": frame.new,
        "half_life": update.HALF_LIFE,
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
    draft = training.draft(
        model.name,
        ALGORITHM,
        parameters,
        metrics,
        names={"label": names},
        window=window,
        offsets=united(bounds, read) if kept_space else bounds,
        rows=records.kept,
        fitted=fitted,
        held_out=records.kept - fitted,
        repeated=records.repeated,
        superseded=records.superseded,
    )
    manifest = registry.publish(draft, candidate.pages.arrays())
    training.keep_assignments(assigned, model.name, manifest.version)
    promoted, reason = training.promote(model.name, manifest.version, champion, verdict.passed, verdict.sentence)
    assigned.unpersist()
    frame.rows.unpersist()
    quality = metrics["silhouette"]
    training.say(
        f"{manifest.full_name} {window}: {candidate.how}, k={candidate.pages.k}, silhouette {quality:.3f}, {reason}"
    )
    return {
        "workload": workload.name,
        "model": model.name,
        "window": window,
        "version": manifest.version,
        "k": candidate.pages.k,
        "how": candidate.how,
        "silhouette": round(quality, 4),
        "drift": moved,
        "rows": records.kept,
        "snapshot_id": training.snapshot_id,
        "promoted": promoted,
        "gate": reason,
        "seconds": round(time.monotonic() - started, 1),
    }


def united(bounds: offsets.Ranges, read: offsets.Ranges) -> offsets.Ranges:
    """What an update has read, its champion's pages among it: a window of pages that were read takes none back."""
    parts = bounds.keys() | read.keys()
    ranges = {part: [offsets_[part] for offsets_ in (bounds, read) if part in offsets_] for part in parts}
    return {part: (min(first for first, _ in ends), max(last for _, last in ends)) for part, ends in ranges.items()}


def judge(candidate: Pages, before: Before | None, judged_on: Sample) -> Verdict:
    """Mean silhouettes of both models on the same held-out pages, in the candidate's space.

    That is the champion's own, but for a version that learnt everything anew.
    """
    space = judged_on.features(candidate.space)
    ours, margin = silhouette(space, candidate.nearest(space)[0]) if len(space) else 0.0, settings().gate_margin
    if before is None:
        return Verdict(True, ours, None, None, margin, len(space))
    theirs = silhouette(space, before.pages.assign(judged_on)[0]) if len(space) else 0.0
    return Verdict(ours >= theirs - margin, ours, theirs, before.manifest.version, margin, len(space))


def drifted(before: Before, after: Pages, new: Sample) -> dict[str, float]:
    """How far the new pages are from what the champion was made of, and how far the centres went for them."""
    clusters, distances = before.pages.assign(new)
    measures = {
        "psi": drift.psi(before.manifest.parameters["sizes"], np.bincount(clusters, minlength=before.pages.k)),
        "inertia_ratio": drift.inertia_ratio(distances, before.manifest.metrics["inertia_per_row"]),
    }
    if after.space is before.pages.space:  # in another space a centre's way has no length
        measures["moved"] = drift.moved(before.pages.centres, after.centres)
    return {name: round(value, 6) for name, value in measures.items()}


def check_export(pages: Pages, assigned: Any, records: dataset.Records, model: PageModel) -> None:
    """Raises Corrupt unless the arrays that are published give pages the clusters that Spark gave them."""
    exported = Pages.load(pages.arrays())
    texts = records.rows.select("record_id", *paged.fields(model)).limit(SAMPLE // 10)
    rows = texts.join(assigned.select("record_id", "cluster"), "record_id").toArrow()
    columns = {
        name: rows.column(field).to_pylist() for name, field in zip(paged.NAMES, paged.fields(model), strict=True)
    }
    clusters, _ = exported.assign(columns)
    refuse_difference(clusters, rows.column("cluster").to_numpy(), "pages", columns["url"].__getitem__)
