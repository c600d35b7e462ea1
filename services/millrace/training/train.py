"""Training the models of a workload: one trainer per kind of model."""

from collections.abc import Iterator
from typing import Any

from pyspark.sql import SparkSession

from millrace.registry.registry import Registry
from millrace.training.clusters.train import train_clusters
from millrace.training.context import TrainingContext
from millrace.training.options import TrainingOptions
from millrace.training.page_clusters.train import train_page_clusters
from millrace.training.recommender.train import train_recommenders
from millrace.training.sales.train import train_sales
from millrace.workloads.base import ClusterModel, PageModel, RecommenderModel, SalesModel, Workload


def train_models(spark: SparkSession, workload: Workload, options: TrainingOptions) -> Iterator[dict[str, Any]]:
    """Train and yield a result per model and window, the oldest window first.

    Raises MillraceError; what was published before stays.
    """
    registry = Registry()
    registry.store.ensure_bucket()
    context = TrainingContext(spark, registry, workload, options)
    windows = options.select_windows()
    models = options.select_models(workload)
    # Together, since the records of a window are read once for all of them.
    yield from train_clusters(context, [model for model in models if isinstance(model, ClusterModel)], windows)
    for model in models:
        if isinstance(model, RecommenderModel):
            yield from train_recommenders(context, [model], windows)
        elif isinstance(model, SalesModel):
            yield from train_sales(context, [model], windows)
        elif isinstance(model, PageModel):
            yield from train_page_clusters(context, [model], windows)
