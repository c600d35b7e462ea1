"""One training: snapshot, audit, records, fit, gate, publish, promote."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.errors import ConflictError, UnavailableError
from millrace.lake import CATALOG, assignments_table_name, table_name
from millrace.records.contract import compute_schema_hash
from millrace.registry.champion import Champion
from millrace.registry.code_version import find_code_version
from millrace.registry.manifest import DataSpec, FeatureSpec, ManifestDraft
from millrace.registry.registry import NO_CHAMPION, Registry
from millrace.training import dataset, events, offsets
from millrace.training.clusters import gate, kmeans
from millrace.training.lake_wait import newest_snapshot
from millrace.training.maintenance import tag_snapshot
from millrace.training.options import TrainingOptions
from millrace.training.page_clusters import train as pages
from millrace.training.recommender import train as recommender
from millrace.training.sales import train as sales
from millrace.workloads.base import ClusterModel, Model, PageModel, RecommenderModel, SalesModel, Workload

MAX_GATE_RECORDS = 50_000  # held-out records on which the gate judges; more would not change two digits
Say = Callable[[str], None]


class WorkloadTraining:
    """Trains the models of a workload on one snapshot, checked once."""

    def __init__(self, spark: SparkSession, registry: Registry, workload: Workload, options: TrainingOptions, say: Say):
        self.spark, self.registry, self.workload, self.options, self.say = spark, registry, workload, options, say
        self.snapshot_id = options.snapshot_id or newest_snapshot(workload)
        self.rows = dataset.read_snapshot(spark, workload, self.snapshot_id)
        self.audit = offsets.audit_offsets(self.rows)
        self.code_version = find_code_version()
        if not options.accept_gaps:
            offsets.check_audit(self.audit, workload.name, self._find_read_offsets(), self._dead_letters())
        tag_snapshot(spark, workload, self.snapshot_id)
        total = sum(last - first + 1 for first, last in self.audit.ranges.values())
        missing = f"{len(self.audit.gaps)} gaps, accepted or explained" if self.audit.gaps else "none missing"
        say(f"{workload.name}: snapshot {self.snapshot_id}, {total} offsets, {missing}")

    def _find_read_offsets(self) -> offsets.Ranges:
        """The high-water mark of earlier trainings on snapshots of this table's history."""
        marks: dict[str, tuple[int, int]] = {}
        for model in self.workload.models:
            champion = self.registry.champion(self.workload.name, model.name)
            if champion is None:
                continue
            manifest = self.registry.manifest(self.workload.name, model.name, champion.version)
            if manifest.data.table != table_name(self.workload.name):
                continue  # it has read the topic itself, of which the lake may lack the newest seconds
            for partition, (first, last) in manifest.data.offsets.items():
                marks[partition] = (first, max(last, marks.get(partition, (0, -1))[1]))
        return marks

    def _dead_letters(self) -> set[tuple[int, int]]:
        """Offsets that Connect could not read; asked only when something is missing."""
        if not self.audit.gaps:
            return set()
        from millrace.lake.progress import dead_letter_positions

        return dead_letter_positions(self.workload)

    def run(self, models: Sequence[Model]) -> Iterator[dict[str, Any]]:
        """Train every model on every window, oldest window first, and yield what became of each."""
        windows = self.options.select_windows()
        if clusterings := [model for model in models if isinstance(model, ClusterModel)]:
            yield from self._train_clusters(clusterings, windows)
        for model in models:
            if isinstance(model, RecommenderModel):
                inside = self.rows.where(dataset.offsets_within(self.audit.ranges))
                prepared = events.prepare_events(self.spark, inside, self.workload, model)
                if prepared.implausible:
                    self.say(
                        f"{prepared.implausible} events of {self.workload.name} have times that can't be true, given "
                        "when they arrived; they count as events of an unknown time"
                    )
                for window in windows:
                    bounds = offsets.window_bounds(self.audit.ranges, window)
                    yield recommender.train_recommender(self, model, window, bounds, prepared)
                prepared.rows.unpersist()
            elif isinstance(model, SalesModel):
                for window in windows:
                    yield sales.train_sales(self, model, window, offsets.window_bounds(self.audit.ranges, window))
            elif isinstance(model, PageModel):
                yield from pages.train_windows(self, model, windows)

    def _train_clusters(self, models: list[ClusterModel], windows: Sequence[str]) -> Iterator[dict[str, Any]]:
        whole = dataset.deduplicate(self.rows, self.workload, self.audit.ranges)
        self.judged_on = self._take_held_out(whole.rows)
        for window in windows:
            bounds = offsets.window_bounds(self.audit.ranges, window)
            records = whole if window == "all" else dataset.deduplicate(self.rows, self.workload, bounds)
            for model in models:
                yield self._train_cluster_model(model, window, bounds, records)
            if records is not whole:
                records.rows.unpersist()
        whole.rows.unpersist()

    def _train_cluster_model(
        self, model: ClusterModel, window: str, bounds: offsets.Ranges, records: dataset.RecordSet
    ) -> dict[str, Any]:
        started = time.monotonic()
        workload = self.workload
        frame = dataset.compute_features(records, model)
        fit = kmeans.fit_kmeans(frame, model)
        features = [
            FeatureSpec(field=feature.field, transform=feature.transform, default=feature.default)
            for feature in model.features
        ]
        champion = self.registry.champion(workload.name, model.name)
        before = gate.load_champion_model(self.registry, champion, workload.name, model.name)
        verdict = gate.judge_clusters(fit.scorer, features, self.judged_on, before)
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
        draft = self.draft(
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
        manifest = self.registry.publish(draft, fit.scorer.arrays())
        self.write_assignments(fit.assigned, model.name, manifest.version)
        promoted, reason = self.promote(model.name, manifest.version, champion, verdict.passed, verdict.sentence)
        fit.assigned.unpersist()
        frame.unpersist()
        seconds = round(time.monotonic() - started, 1)
        self.say(f"{manifest.full_name} {window}: k={fit.k}, silhouette {fit.silhouettes[fit.k]:.3f}, {reason}")
        return {
            "workload": workload.name,
            "model": model.name,
            "window": window,
            "version": manifest.version,
            "k": fit.k,
            "silhouette": round(fit.silhouettes[fit.k], 4),
            "rows": records.kept,
            "snapshot_id": self.snapshot_id,
            "promoted": promoted,
            "gate": reason,
            "seconds": seconds,
        }

    def draft(
        self,
        model: str,
        algorithm: str,
        parameters: dict[str, Any],
        metrics: dict[str, float],
        *,
        features: Sequence[FeatureSpec] = (),
        names: dict[str, list[str]] | None = None,
        held_out: int = 0,
        without_features: int = 0,
        **data: Any,
    ) -> ManifestDraft:
        """What every version says alike: contract, snapshot, code, gaps; `data` are the other fields of DataSpec."""
        return ManifestDraft(
            workload=self.workload.name,
            model=model,
            algorithm=algorithm,
            features=list(features),
            names=names or {},
            schema_hash=compute_schema_hash(self.workload.record),
            parameters=parameters | {"offset_gaps": self.audit.gaps[:100]},
            metrics=metrics,
            data=DataSpec(
                table=table_name(self.workload.name),
                snapshot_id=self.snapshot_id,
                held_out=held_out,
                without_features=without_features,
                **data,
            ),
            code_version=self.code_version,
        )

    def promote(
        self, model: str, version: str, champion: Champion | None, passed: bool, sentence: str
    ) -> tuple[bool, str]:
        """Promote a version that passed, unless another champion came first or S3 refuses; whether, and why (not)."""
        if not passed:
            return False, sentence
        try:
            etag = champion.etag if champion else NO_CHAMPION
            self.registry.promote(self.workload.name, model, version, expected_etag=etag)
        except ConflictError as error:
            return False, error.message
        except UnavailableError as error:
            # A store that does not let us promote takes nothing away from what was published.
            if error.code != "s3_refused":
                raise
            return False, error.message
        return True, sentence

    def _take_held_out(self, rows: DataFrame) -> dict[str, list[Any]]:
        """Held-out records of the whole snapshot by column, the first GATE_RECORDS by id: every gate sees these."""
        fields = sorted({feature.field for model in self.workload.clusterings for feature in model.features})
        chosen = rows.where(dataset.is_held_out()).orderBy("record_id").limit(MAX_GATE_RECORDS).select(*fields)
        return {name: column.to_pylist() for name, column in zip(fields, chosen.toArrow().columns, strict=True)}

    def write_assignments(self, assigned: DataFrame, model: str, version: str) -> None:
        """Keep the cluster that Spark gave each record, so that answers can be compared with it."""
        rows = assigned.select(
            F.lit(model).alias("model"), F.lit(version).alias("version"), "record_id", "cluster", "held_out"
        )
        rows.writeTo(f"{CATALOG}.{assignments_table_name(self.workload.name)}").append()


def train_models(
    spark: SparkSession, workload: Workload, options: TrainingOptions, say: Say = lambda sentence: None
) -> Iterator[dict[str, Any]]:
    """Train and yield a result per model and window. Raises MillraceError; what was published before stays."""
    registry = Registry()
    registry.store.ensure_bucket()
    yield from WorkloadTraining(spark, registry, workload, options, say).run(options.select_models(workload))
