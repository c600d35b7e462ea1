"""What the training of every kind of model shares: a checked snapshot, the registry, and how a version is promoted."""

import logging
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from millrace.errors import ConflictError, UnavailableError
from millrace.lake import CATALOG, assignments_table_name, table_name
from millrace.lake.offset_ranges import OffsetRange
from millrace.records.contract import compute_schema_hash
from millrace.registry.champion import Champion
from millrace.registry.code_version import find_code_version
from millrace.registry.manifest import DataSpec, FeatureSpec, Manifest, ManifestDraft
from millrace.registry.registry import NO_CHAMPION, Registry
from millrace.training import dataset, offsets
from millrace.training.lake_wait import newest_snapshot
from millrace.training.maintenance import tag_snapshot
from millrace.training.options import TrainingOptions
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)


class TrainingContext:
    """One snapshot of a workload, its offsets checked once, for all of its trainings."""

    def __init__(self, spark: SparkSession, registry: Registry, workload: Workload, options: TrainingOptions):
        self.spark, self.registry, self.workload, self.options = spark, registry, workload, options
        self.snapshot_id = options.snapshot_id or newest_snapshot(workload)
        self.rows = dataset.read_snapshot(spark, workload, self.snapshot_id)
        self.audit = offsets.audit_offsets(self.rows)
        self.code_version = find_code_version()
        self._check_offsets()
        tag_snapshot(spark, workload, self.snapshot_id)
        total = sum(last - first + 1 for first, last in self.audit.ranges.values())
        missing = f"{len(self.audit.gaps)} gaps, accepted or explained" if self.audit.gaps else "none missing"
        log.info("%s: snapshot %s, %s offsets, %s", workload.name, self.snapshot_id, total, missing)

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

    def _check_offsets(self) -> None:
        """Raises CorruptError where offsets are missing, but for those that are known or, now, accepted.

        What explains a gap is written down: the dead letters before Kafka forgets them, and that somebody accepted it.
        """
        seen_before = self._find_read_offsets()
        unexplained: list[OffsetRange] = []
        if self.audit.gaps:
            from millrace.lake import gaps

            unexplained = gaps.find_unexplained(self.workload, self.audit.gaps, record=True)
            if unexplained and self.options.accept_gaps:
                offsets.check_loss(self.audit, self.workload.name, seen_before)
                gaps.record_gaps(self.workload, unexplained, gaps.ACCEPTED)
                unexplained = []
        offsets.check_audit(self.audit, self.workload.name, seen_before, unexplained)

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
            parameters=parameters | {"offset_gaps": [list(gap) for gap in self.audit.gaps[:100]]},
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

    def write_assignments(self, assigned: DataFrame, model: str, version: str) -> None:
        """Keep the cluster that Spark gave each record, so that answers can be compared with it."""
        rows = assigned.select(
            F.lit(model).alias("model"), F.lit(version).alias("version"), "record_id", "cluster", "held_out"
        )
        rows.writeTo(f"{CATALOG}.{assignments_table_name(self.workload.name)}").append()

    def describe(
        self, manifest: Manifest, seconds: float, promoted: bool, reason: str, **details: Any
    ) -> dict[str, Any]:
        """The result of a training as `train --json` prints it; `details` are those of the kind of model."""
        return {
            "workload": self.workload.name,
            "model": manifest.model,
            "window": manifest.data.window,
            "version": manifest.version,
            **details,
            "rows": manifest.data.rows,
            "snapshot_id": self.snapshot_id,
            "promoted": promoted,
            "gate": reason,
            "seconds": round(seconds, 1),
        }
