"""A catalog that is an hour old, or gone, leads to every row again; what is newer or open is never overwritten."""

import json
import shutil

import pytest

from millrace.errors import BadInputError, ConflictError, CorruptError, NotFoundError
from millrace.lake import NAMESPACE, backup, catalog, pointers, tables
from millrace.lake.rebuild import plan_rebuild, rebuild_catalog
from millrace.workloads import find_workload
from tests.lake.made import append, file_of_catalog, lose_catalog, make_table, read_ids, tables_catalog

PAGES, SALES = f"{NAMESPACE}.pages", f"{NAMESPACE}.sales"


def states() -> dict[str, str]:
    return {step.table: step.state for step in plan_rebuild()}


def test_restored_catalog_is_rebuilt_with_every_row_committed_since(lake):
    pages, sales = make_table("pages"), make_table("sales")
    append(pages, ["a", "b"])
    append(sales, ["x"])
    backup.write_backup()
    append(pages, "cdefgh")
    later = make_table("later")
    append(later, ["z"])
    lose_catalog()

    taken, restored = backup.restore_backup()
    assert restored == [PAGES, SALES] == taken.tables
    assert read_ids("pages") == ["a", "b"]
    assert states() == {PAGES: "behind", SALES: "current", f"{NAMESPACE}.later": "missing"}
    assert rebuild_catalog(plan_rebuild()) == [f"{NAMESPACE}.later", PAGES]
    assert read_ids("pages") == list("abcdefgh")
    assert read_ids("sales") == ["x"]
    assert read_ids("later") == ["z"]
    # And it is a catalog like before: commits go on, and nothing is left to do.
    append(catalog.load_catalog().load_table(PAGES), ["i"])
    assert set(states().values()) == {"current"}
    assert rebuild_catalog(plan_rebuild()) == []


def test_lost_catalog_is_rebuilt_from_the_bucket_alone(lake):
    tables.ensure_tables([find_workload("courses")])
    table = catalog.load_catalog().load_table(f"{NAMESPACE}.courses_assignments")
    append(table, ["a", "b", "c"])
    lose_catalog()
    with pytest.raises(
        ConflictError, match=r"holds the table millrace\.courses.* `millrace catalog rebuild` registers"
    ):
        tables.ensure_tables([find_workload("courses")])
    rebuilt = [f"{NAMESPACE}.{table}" for table in ("courses", "courses_assignments", "courses_gaps")]
    assert rebuild_catalog(plan_rebuild()) == rebuilt
    assert read_ids("courses_assignments") == ["a", "b", "c"]
    assert tables.ensure_tables([find_workload("courses")]) == []


def test_restore_leaves_tables_that_the_catalog_has(lake):
    pages = make_table("pages")
    append(pages, ["a"])
    backup.write_backup()
    append(pages, ["b"])
    make_table("sales")
    assert backup.restore_backup()[1] == []
    assert read_ids("pages") == ["a", "b"]


def test_dry_run_changes_nothing(lake):
    append(make_table("pages"), ["a"])
    backup.write_backup()
    lose_catalog()
    assert backup.restore_backup(dry_run=True)[1] == [PAGES]
    assert [step.state for step in plan_rebuild()] == ["missing"]
    assert pointers.list_pointers() == {}


def test_backup_holds_all_rows_of_the_database_and_survives_sqlalchemy_types(lake):
    make_table("pages")
    written = backup.write_backup()
    assert backup.read_backup(written.name).rows == written.rows == pointers.read_rows()
    assert {row["property_key"] for row in written.rows[pointers.NAMESPACES]} == {"exists"}


def test_unknown_or_damaged_backup_is_named_with_what_there_is(lake):
    with pytest.raises(NotFoundError, match="the last ones: none is there"):
        backup.restore_backup()
    make_table("pages")
    name = backup.write_backup().name
    with pytest.raises(NotFoundError, match=f"There is no backup 20200101.*{name}"):
        backup.restore_backup("20200101T000000Z")
    lake.put(f"catalog/{name}.json", b'{"format": "other"}')
    with pytest.raises(CorruptError, match="is no backup of a catalog: the format is 'other'"):
        backup.restore_backup(name)


def test_file_of_a_lost_race_is_not_taken_for_the_newest(lake):
    """A writer that stalled has left its file, later than all others and after an earlier commit."""
    pages = make_table("pages")
    append(pages, ["a"])
    stalled = catalog.load_catalog().load_table(PAGES)
    append(pages, ["b", "c"])
    leave_file(lake, stalled)
    lose_catalog()
    rebuild_catalog(plan_rebuild())
    assert read_ids("pages") == ["a", "b", "c"]


def test_two_files_after_the_same_commit_are_refused_until_one_is_chosen(lake):
    pages = make_table("pages")
    append(pages, ["a"])
    other = leave_file(lake, pages)
    append(pages, ["b"])
    assert states() == {PAGES: "current"}  # the catalog says which was committed
    committed = pointers.list_pointers()[PAGES]
    lose_catalog()
    with pytest.raises(ConflictError, match="two commits followed the same one") as raised:
        rebuild_catalog(plan_rebuild())
    assert other in str(raised.value)
    assert pointers.list_pointers() == {}
    assert rebuild_catalog(plan_rebuild(chosen=[committed])) == [PAGES]
    assert read_ids("pages") == ["a", "b"]


def test_catalog_on_another_line_than_the_newest_file_is_refused(lake):
    """The old catalog was put back and written to before anybody rebuilt it."""
    append(make_table("pages"), ["a"])
    make_table("sales")
    shutil.copy(file_of_catalog(), old := file_of_catalog().with_name("old.db"))
    append(catalog.load_catalog().load_table(PAGES), "bcd")
    lose_catalog()
    shutil.copy(old, file_of_catalog())
    append(catalog.load_catalog().load_table(PAGES), ["x"])
    with pytest.raises(ConflictError, match=r"The catalog is newer than the bucket for millrace\.pages"):
        rebuild_catalog(plan_rebuild())
    assert read_ids("pages") == ["a", "x"]
    assert rebuild_catalog(plan_rebuild([SALES])) == []


def test_pointer_whose_file_is_gone_is_moved_to_the_newest(lake):
    pages = make_table("pages")
    append(pages, ["a"])
    old = pointers.list_pointers()[PAGES]
    shutil.copy(file_of_catalog(), kept := file_of_catalog().with_name("old.db"))
    append(pages, ["b"])
    lose_catalog()
    shutil.copy(kept, file_of_catalog())
    lake.delete(old.removeprefix(f"s3://{lake.bucket}/"))
    assert rebuild_catalog(plan_rebuild()) == [PAGES]
    assert read_ids("pages") == ["a", "b"]


def test_commit_during_a_rebuild_is_not_undone(lake):
    pages = make_table("pages")
    append(pages, ["a"])
    old = pointers.list_pointers()[PAGES]
    append(pages, ["b"])
    newest = pointers.list_pointers()[PAGES]
    with pytest.raises(ConflictError, match="something still writes to it"):
        pointers.move_pointer(PAGES, old, old)
    assert pointers.list_pointers()[PAGES] == newest
    with pytest.raises(ConflictError, match="something still writes to it"):
        pointers.move_pointer(PAGES, None, old)


def test_truncated_metadata_file_is_passed_over(lake):
    pages = make_table("pages")
    append(pages, ["a"])
    lake.put("warehouse/millrace/pages/metadata/00009-x.metadata.json", b'{"format-version": 2, "table-u')
    assert states() == {PAGES: "current"}


def test_unknown_table_is_named_with_those_there_are(lake):
    make_table("pages")
    with pytest.raises(BadInputError, match=r"'pages' is no table of the lake; allowed: millrace\.pages"):
        plan_rebuild(["pages"])


def test_recreated_table_in_the_folder_of_a_renamed_one_is_told_apart(lake):
    append(make_table("pages"), ["a", "b"])
    tables_catalog().rename_table(PAGES, f"{PAGES}_away")
    tables.check_not_forgotten(PAGES)
    append(make_table("pages"), ["c"])
    assert states() == {PAGES: "current", f"{PAGES}_away": "current"}


def leave_file(lake, table) -> str:
    """The location of a metadata file that a commit to `table` as it was loaded has written, and lost with."""
    location = table.metadata_location.rpartition("/")[0] + "/00099-lost.metadata.json"
    body = json.loads(table.metadata.model_dump_json(by_alias=True))
    parent = {"metadata-file": table.metadata_location, "timestamp-ms": body["last-updated-ms"]}
    body["metadata-log"] = [*body["metadata-log"], parent]
    body["last-updated-ms"] += 60_000
    lake.put(location.removeprefix(f"s3://{lake.bucket}/"), json.dumps(body).encode())
    return location
