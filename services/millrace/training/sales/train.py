"""Publishing the sums of a shop: nothing is fitted, so every version passes."""

import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.sql import functions as F

from millrace.analytics.sales import ALGORITHM, SUMS
from millrace.errors import BadInputError
from millrace.spark.rows import only_row
from millrace.training import offsets
from millrace.training.context import TrainingContext
from millrace.training.dataset import offsets_within
from millrace.training.sales import tables
from millrace.workloads.base import SalesModel

log = logging.getLogger(__name__)


def train_sales(
    context: TrainingContext, models: Sequence[SalesModel], windows: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Train the models on every window, oldest first."""
    for model, window in itertools.product(models, windows):
        yield train_window(context, model, window, offsets.window_bounds(context.audit.ranges, window))


def train_window(context: TrainingContext, model: SalesModel, window: str, bounds: offsets.Ranges) -> dict[str, Any]:
    """Sum the lines within the bounds, publish and promote."""
    started, workload = time.monotonic(), context.workload
    rows = context.rows.where(offsets_within(bounds))
    order_lines = tables.make_order_lines(rows, workload, model)
    kept, total = order_lines.count(), rows.count()
    if not kept:
        raise BadInputError(
            f"The window holds no order of {workload.name}. Ingest more.", code="too_few_rows", field="rows"
        )
    sums = tables.sum_tables(order_lines, model)
    champion = context.registry.champion(workload.name, model.name)
    whole = only_row(sums["sales"].agg(*(F.sum(name).alias(name) for name in SUMS)))
    sentence, revenue = "passed: sums, nothing is guessed", whole["revenue"] / 100
    draft = context.draft(
        model.name,
        ALGORITHM,
        {"by": dict(model.by), "gate": sentence},
        {"revenue": revenue, "orders": whole["orders"], "items": whole["items"]},
        window=window,
        offsets=bounds,
        rows=kept,
        fitted=kept,
        repeated=total - kept,
    )
    manifest = context.registry.publish(draft, tables.make_arrays(sums, order_lines, model))
    if window == "all":
        tables.write_tables(sums, tables.sum_months(order_lines), workload.name, manifest.version)
    promoted, reason = context.promote(model.name, manifest.version, champion, True, sentence)
    for frame in (*sums.values(), order_lines):
        frame.unpersist()
    log.info("%s %s: %s orders, revenue %.2f, %s", manifest.full_name, window, whole["orders"], revenue, reason)
    seconds = time.monotonic() - started
    return context.describe(manifest, seconds, promoted, reason, orders=whole["orders"], revenue=revenue)
