"""What is removed of a lake, and what never is: tagged snapshots, what the catalog or a backup names, the newest."""

from datetime import UTC, datetime, timedelta

import pytest
from pyiceberg.table.snapshots import Operation, Snapshot, Summary

from millrace.errors import ConflictError, UnavailableError
from millrace.lake import NAMESPACE, backup, catalog, expiry, tables, upkeep
from millrace.lake.backup import select_expired as select_expired_backups
from millrace.lake.lease import hold_lease
from millrace.lake.metadata_files import LakeFiles
from millrace.lake.rebuild import plan_rebuild
from millrace.registry.store import ObjectEntry
from millrace.settings import Settings
from tests.lake.made import append, lose_catalog, make_table, read_ids

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def snapshot(number: int, age_s: float, operation: Operation = Operation.APPEND) -> Snapshot:
    return Snapshot(
        snapshot_id=number,
        sequence_number=number,
        timestamp_ms=NOW_MS - int(age_s * 1000),
        manifest_list=f"s3://lake/{number}",
        summary=Summary(operation),
    )


def expired_ids(snapshots: list[Snapshot], named: set[int]) -> list[int]:
    return [found.snapshot_id for found in expiry.select_expired(snapshots, named, NOW_MS, 3600)]


def test_snapshots_expire_by_age_but_for_tagged_and_newest():
    snapshots = [snapshot(number, 7200 - 60 * number) for number in range(100)]
    result = expired_ids(snapshots, {5, 99})
    # Number 60 is an hour old: the one before it was followed an hour ago, and 80 to 99 are the newest 20.
    assert result == [number for number in range(60) if number != 5]


def test_age_of_a_snapshot_counts_from_the_next_one():
    quiet = [snapshot(0, 86_400), *(snapshot(number, 60) for number in range(1, 40))]
    assert expired_ids(quiet, {39}) == []


def test_last_append_stays_behind_any_number_of_compactions():
    rewritten = [snapshot(number, 9000 - number, Operation.REPLACE) for number in range(2, 60)]
    snapshots = [snapshot(0, 9900), snapshot(1, 9800), *rewritten]
    assert expired_ids(snapshots, {59}) == [0, *range(2, 40)]


def test_number_of_snapshots_is_bounded_whatever_their_age():
    snapshots = [snapshot(number, 5000 - number) for number in range(3000)]
    left = len(snapshots) - len(expired_ids(snapshots, {2999}))
    assert left == expiry.MAX_SNAPSHOTS


def test_metadata_files_keep_their_budget_with_a_commit_a_second_and_250_tags():
    """The measured size of a snapshot times how many there can be, and what else a metadata file holds."""
    fastest_s = min(Settings.model_fields[name].default for name in ("commit_interval", "stream_interval"))
    snapshots = expiry.MAX_SNAPSHOTS + expiry.EXPIRE_INTERVAL_S / fastest_s + 250
    log_entries = int(tables.PROPERTIES["write.metadata.previous-versions-max"])
    snapshot_log, tag, log_entry, rest = 75, 160, 200, 20_000
    size = snapshots * (expiry.SNAPSHOT_BYTES + snapshot_log) + 250 * tag + log_entries * log_entry + rest
    assert size <= expiry.METADATA_BUDGET_BYTES
    # At the defaults of the sink: a commit every five seconds while records come.
    sink = (3600 + expiry.EXPIRE_INTERVAL_S) / Settings.model_fields["commit_interval"].default
    assert sink * expiry.SNAPSHOT_BYTES < 1_100_000


def test_one_machine_and_chart_expire_as_often_as_the_budget_reckons():
    from millrace.local.upkeep import CATALOG_INTERVAL_S

    assert CATALOG_INTERVAL_S == expiry.EXPIRE_INTERVAL_S


def test_expiry_deletes_files_of_expired_snapshots_and_no_other(lake, monkeypatch):
    monkeypatch.setattr(expiry, "RETAINED_SNAPSHOTS", 1)
    table = make_table("pages")
    append(table, ["a", "b"])
    tagged = table.metadata.current_snapshot_id
    table.manage_snapshots().create_tag(tagged, "trained-1").commit()
    append(table, ["c"])
    table.delete("record_id = 'a'")
    append(table, ["d"])
    before = data_files(lake)
    later = datetime.now(UTC) + timedelta(hours=2)
    result = upkeep.keep_up(later)
    assert [(row.table, row.snapshots_expired) for row in result.tables] == [(f"{NAMESPACE}.pages", 3)]
    assert read_ids("pages") == ["b", "c", "d"]
    table = catalog.load_catalog().load_table(f"{NAMESPACE}.pages")
    assert {one.snapshot_id for one in table.metadata.snapshots} == {tagged, table.metadata.current_snapshot_id}
    assert sorted(table.scan(snapshot_id=tagged).to_arrow().column("record_id").to_pylist()) == ["a", "b"]
    assert data_files(lake) == before  # the tag holds what was deleted

    table.manage_snapshots().remove_tag("trained-1").commit()
    append(table, ["e"])
    upkeep.keep_up(later)
    held = {file.file.file_path for file in table.refresh().scan().plan_files()}
    assert data_files(lake) == {LakeFiles(lake).to_key(path) for path in held}
    assert read_ids("pages") == ["b", "c", "d", "e"]


def test_upkeep_keeps_metadata_that_catalog_or_backup_names(lake, monkeypatch):
    monkeypatch.setattr(upkeep, "RETAINED_METADATA_FILES", 2)
    table = make_table("pages")
    append(table, ["a"])
    backup.write_backup(datetime.now(UTC))
    (named,) = backup.read_backup().locations
    append(table, "bcdef")
    assert upkeep.keep_up(datetime.now(UTC) + timedelta(minutes=5)).tables[0].metadata_deleted == 0
    assert upkeep.keep_up(datetime.now(UTC) + timedelta(minutes=30)).tables[0].metadata_deleted > 0
    left = [LakeFiles(lake).to_location(entry.key) for entry in LakeFiles(lake).list_entries(table.location())]
    assert named in left
    assert len(left) == 3  # that one, and two of which the catalog names one
    lose_catalog()
    backup.restore_backup(backup.list_backups()[0])
    assert read_ids("pages") == ["a"]
    assert [step.state for step in plan_rebuild()] == ["behind"]


def test_upkeep_leaves_a_table_alone_whose_catalog_is_behind(lake):
    """Else it would commit to the old state, and delete the files that lead to the new one."""
    table = make_table("pages")
    append(table, ["a"])
    written = backup.write_backup()
    append(table, ["b"])
    make_table("other")
    lose_catalog()
    backup.restore_backup(written.name)
    files = LakeFiles(lake).list_entries(table.location())
    with pytest.raises(UnavailableError, match=r"millrace\.pages: the bucket holds newer metadata than the catalog"):
        upkeep.keep_up(datetime.now(UTC) + timedelta(hours=2))
    assert LakeFiles(lake).list_entries(table.location()) == files
    assert [step.state for step in plan_rebuild([f"{NAMESPACE}.pages"])] == ["behind"]


def test_second_upkeep_is_refused(lake):
    with hold_lease(upkeep.LEASE, "no"), pytest.raises(ConflictError, match="upkeep of this lake is running already"):
        upkeep.keep_up()


def test_old_tables_keep_their_metadata_files_from_now_on(lake):
    from millrace.workloads import find_workload

    courses = find_workload("courses")
    tables.ensure_tables([courses])
    table = tables.load_table("courses")
    with table.transaction() as transaction:
        transaction.set_properties({tables.METADATA_DELETION: "true"})
    assert tables.ensure_tables([courses]) == []
    assert tables.load_table("courses").properties[tables.METADATA_DELETION] == "false"


def name_of(age: timedelta) -> str:
    return (NOW - age).strftime(backup.NAME_FORMAT)


def test_backups_are_thinned_by_age_and_the_newest_is_never_removed():
    names = sorted(name_of(timedelta(minutes=15 * number)) for number in range(4 * 24 * 30))
    expired = set(select_expired_backups(names, NOW, 14))
    kept = [name for name in names if name not in expired]
    assert len(kept) <= 5 + 48 + 15
    assert kept[-1] == names[-1] == name_of(timedelta())
    assert kept[0] >= name_of(timedelta(days=14))
    days = {name[:8] for name in kept}
    assert len(days) == 15  # the first of them in part
    alone = name_of(timedelta(days=400))
    assert select_expired_backups([alone], NOW, 14) == []


def test_old_metadata_is_selected_by_age_and_name():
    entries = [ObjectEntry(f"k{minutes}", NOW - timedelta(minutes=minutes), 1) for minutes in range(200)]
    removed = upkeep.select_old_metadata(entries, {"k100"}, NOW)
    assert [entry.key for entry in removed] == [f"k{minutes}" for minutes in range(50, 200) if minutes != 100]
    assert upkeep.select_old_metadata(entries, (), NOW - timedelta(minutes=185)) == []


def data_files(store) -> set[str]:
    return {key for key in store.keys("warehouse/") if key.endswith(".parquet")}


def test_files_are_looked_for_only_where_a_commit_may_have_removed_some():
    def has_only_appended(expired: list[int], kept: list[int], replaced: int = 0) -> bool:
        def make(numbers: list[int]) -> list[Snapshot]:
            return [
                snapshot(number, 0, Operation.REPLACE if number == replaced else Operation.APPEND) for number in numbers
            ]

        return expiry._has_only_appended(make(expired), make(kept))

    assert has_only_appended([1, 2, 3], [4, 5])
    assert has_only_appended([1, 3], [2, 4, 5])  # 2 has a tag
    assert has_only_appended([1, 2], [3, 4, 5], replaced=4)  # 3 still holds what 4 removed
    assert not has_only_appended([1, 2], [3, 4], replaced=3)
    assert not has_only_appended([1, 2, 3], [4], replaced=2)
    assert not has_only_appended([2], [9, 10])  # it had a tag; what came after it is gone
