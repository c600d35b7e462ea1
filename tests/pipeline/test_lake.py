"""The lake beside its sink: failed tasks are shown and restarted, compaction loses nothing, tables follow contracts."""

import time
from contextlib import suppress

import httpx
import pytest
from pydantic import ValidationError, create_model

from millrace.errors import BadInputError
from millrace.ingest.publish import ingest_source
from millrace.lake import sink, tables
from millrace.lake.archive import RecordArchive
from millrace.lake.catalog import load_catalog
from millrace.lake.gaps import record_dead_letters
from millrace.lake.progress import wait_until_landed
from millrace.messaging.reader import end_offsets, read_all
from millrace.records.types import Count, Id, Text
from millrace.settings import settings
from millrace.training import dataset
from millrace.training.lake_wait import newest_snapshot
from millrace.training.maintenance import compact_tables, tag_snapshot
from millrace.workloads import find_workload
from tests.conftest import generated


def test_compaction_keeps_every_row_and_tagged_snapshot(stack, spark, tmp_path):
    workload = find_workload("rentals")
    for seed in (41, 42, 43):
        ingest_source(workload, str(generated(workload, 100, seed, tmp_path)))
        wait_until_landed(workload)
    snapshot = newest_snapshot(workload)
    rows = dataset.read_snapshot(spark, workload, snapshot).count()
    tag_snapshot(spark, workload, snapshot)
    files = len(spark.sql("SELECT * FROM iceberg.millrace.rentals.files").collect())
    results = compact_tables(spark, workload, keep_days=0)
    assert results[0]["table"] == "millrace.rentals"
    assert "millrace.rentals_gaps" in {result["table"] for result in results}
    assert results[0]["files_rewritten"] >= 3
    assert len(spark.sql("SELECT * FROM iceberg.millrace.rentals.files").collect()) < files
    assert tables.count_rows("rentals") == rows
    assert dataset.read_snapshot(spark, workload, snapshot).count() == rows
    kept = spark.sql("SELECT snapshot_id FROM iceberg.millrace.rentals.snapshots").collect()
    named = spark.sql("SELECT snapshot_id FROM iceberg.millrace.rentals.refs").collect()
    # Tags of other trainings, this one and the branch: nothing else is left.
    assert {row.snapshot_id for row in kept} == {row.snapshot_id for row in named}
    assert {snapshot, newest_snapshot(workload)} <= {str(row.snapshot_id) for row in kept}


@pytest.mark.parametrize("name", ["mooc", "shop"])
def test_lake_gives_back_what_the_topic_said(trained, name):
    workload = find_workload(name)
    wait_until_landed(workload)
    record_dead_letters([workload])
    wanted = {number: (0, end) for number, end in end_offsets(workload.records_topic).items()}
    batches = RecordArchive(workload).read(wanted)
    archived = {(message.partition, message.offset): message for batch in batches for message in batch.messages}
    assert len(archived) > 1000
    for message in read_all(workload.records_topic):
        twin = archived.pop((message.partition, message.offset), None)
        if twin is None:
            continue  # a dead letter
        assert twin.timestamp == message.timestamp
        # Not all that tests send is a record: what the contract refuses it must refuse of both.
        records = []
        for value in (message.value, twin.value):
            with suppress(ValidationError):
                records.append(workload.record.model_validate_json(value))
        assert records == records[:1] * len(records)
        assert len(records) != 1
    assert archived == {}


def test_provisioning_again_changes_nothing(stack):
    from millrace.provision import provision

    assert provision() == {"buckets": [], "topics": [], "tables": [], "coordinators": [], "sinks": []}


def test_new_optional_field_becomes_column_and_changed_type_is_rejected(stack):
    changed = find_workload("rentals").__class__
    base = find_workload("rentals")
    grown = create_model("Rental", __base__=base.record, note=(Text | None, None))
    made = changed("evolving", base.record, base.identity, base.generate)
    tables.ensure_tables([made])
    assert tables.ensure_tables([changed("evolving", grown, base.identity, base.generate)]) == [
        "millrace.evolving.note"
    ]
    retyped = create_model("Rental", __base__=base.record, rent=(Count, ...), flat_id=(Id, ...))
    with pytest.raises(BadInputError, match="holds rent as double, the contract says long"):
        tables.ensure_tables([changed("evolving", retyped, base.identity, base.generate)])
    load_catalog().drop_table("millrace.evolving")
    load_catalog().drop_table("millrace.evolving_assignments")
    load_catalog().drop_table("millrace.evolving_gaps")


def test_failed_task_is_reported_with_its_cause_and_restarted(stack):
    """A record that breaks the contract's types, from a producer of its own, fails the task again and again."""
    from millrace.messaging.producer import make_producer
    from millrace.messaging.topics import ensure_topics
    from millrace.workloads.base import Workload

    base = find_workload("rentals")
    fragile = Workload("fragile", base.record, base.identity, base.generate)
    ensure_topics([fragile])
    tables.ensure_tables([fragile])
    sink.ensure_sinks([fragile])
    made = make_producer()
    made.send(
        "fragile.records",
        b"x",
        b'{"flat_id":"x","rooms":1,"rent":1,"record_id":"x","listed_at":"2026-13-45T00:00:00Z"}',
    )
    made.flush()
    made.close()
    deadline = time.monotonic() + 60
    try:
        while (
            sink.sink_status("fragile")["tasks"] == [] or sink.sink_status("fragile")["tasks"][0]["state"] != "FAILED"
        ):
            assert time.monotonic() < deadline, sink.sink_status("fragile")
            time.sleep(0.5)
        assert "2026-13-45" in sink.sink_status("fragile")["tasks"][0]["cause"]
        output = sink.restart_failed(["fragile"])
        assert len(output) == 1
        assert "lake-fragile had failed" in output[0]
        assert "2026-13-45" in output[0]
    finally:
        httpx.delete(f"{settings().connect_url}/connectors/lake-fragile", timeout=30)


def test_catalog_an_hour_old_is_rebuilt_with_every_row_of_the_sink(stack, tmp_path):
    """A copy of the catalog goes back to a backup; the stack's own goes on."""
    from millrace.lake import backup, catalog, pointers
    from millrace.lake.rebuild import plan_rebuild, rebuild_catalog
    from tests.registry.servers import settings_of

    workload, name = find_workload("rentals"), "millrace.rentals"
    ingest_source(workload, str(generated(workload, 100, 51, tmp_path)))
    wait_until_landed(workload)
    old = backup.write_backup()
    try:
        ingest_source(workload, str(generated(workload, 100, 52, tmp_path)))
        wait_until_landed(workload)
        rows, newest = tables.count_rows("rentals"), pointers.list_pointers()[name]
        with settings_of({"MILLRACE_CATALOG_JDBC": f"jdbc:sqlite:{tmp_path / 'restored.db'}"}):
            load_catalog.cache_clear()
            backup.restore_backup(old.name)
            assert tables.count_rows("rentals") < rows
            rebuild_catalog(plan_rebuild([name]))
            assert pointers.list_pointers()[name] == newest
            assert tables.count_rows("rentals") == rows == tables.load_table("rentals").scan().to_arrow().num_rows
            catalog.load_catalog().engine.dispose()
    finally:
        load_catalog.cache_clear()
        backup.open_store().delete(f"catalog/{old.name}.json")


def test_upkeep_expires_snapshots_of_sink_and_spark_and_leaves_every_row(stack, spark, tmp_path, monkeypatch):
    """Their files are read by Iceberg for Java afterwards: what it deleted, nothing needed."""
    from datetime import UTC, datetime, timedelta

    from millrace.lake import expiry, pointers, upkeep

    monkeypatch.setattr(expiry, "RETAINED_SNAPSHOTS", 1)
    rentals = {"millrace.rentals": pointers.list_pointers()["millrace.rentals"]}
    monkeypatch.setattr(pointers, "list_pointers", lambda: rentals)
    workload = find_workload("rentals")
    for seed in (61, 62):
        ingest_source(workload, str(generated(workload, 100, seed, tmp_path)))
        wait_until_landed(workload)
    before = spark.sql("SELECT * FROM iceberg.millrace.rentals").count()
    result = upkeep.keep_up(datetime.now(UTC) + timedelta(hours=3))
    assert result.tables[0].snapshots_expired
    spark.sql("REFRESH TABLE iceberg.millrace.rentals")
    assert len(spark.sql("SELECT * FROM iceberg.millrace.rentals").collect()) == before == tables.count_rows("rentals")
    for tag in spark.sql("SELECT snapshot_id FROM iceberg.millrace.rentals.refs WHERE type = 'TAG'").collect():
        assert dataset.read_snapshot(spark, workload, str(tag.snapshot_id)).count()


def test_retention_takes_assignments_and_tags_of_versions_that_are_gone(stack, spark):
    """Of another workload's tables the rule takes nothing, and of the last day nothing either."""
    from datetime import UTC, datetime, timedelta

    from millrace.lake import assignments_table_name
    from millrace.training.retention import delete_assignments, drop_tags

    workload = find_workload("rentals")
    table = f"iceberg.{assignments_table_name('rentals')}"
    spark.sql(f"INSERT INTO {table} VALUES ('size', '20200101T000000Z-00000001', 'a', 0, false)")
    spark.sql(f"INSERT INTO {table} VALUES ('size', '20200101T000000Z-00000002', 'a', 0, false)")
    present = {("size", "20200101T000000Z-00000002")}
    now = datetime.now(UTC)
    assert delete_assignments(spark, workload, present, now) == 1
    left = {row.version for row in spark.table(table).select("version").distinct().collect()}
    assert "20200101T000000Z-00000002" in left
    assert "20200101T000000Z-00000001" not in left
    spark.sql(f"DELETE FROM {table} WHERE version = '20200101T000000Z-00000002'")

    snapshot = newest_snapshot(workload)
    tag_snapshot(spark, workload, snapshot)
    assert drop_tags(spark, workload, [], now) == 0
    names = "SELECT name FROM iceberg.millrace.rentals.refs WHERE type = 'TAG'"
    before = [row.name for row in spark.sql(names).collect()]
    try:
        assert drop_tags(spark, workload, [], now + timedelta(days=2)) == len(before)
        assert spark.sql(names).collect() == []
    finally:
        for name in before:
            tag_snapshot(spark, workload, name.removeprefix("trained-"))
