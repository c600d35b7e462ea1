import sqlite3
from pathlib import Path

import pytest

from millrace.runtime.sqlite import to_file, to_jdbc

NAMES = ["plain", "a b", "Jos\u00e9", "h%41", "a,b", "q?x=1", "h#y", "back\\slash", "it's", "100%", "a:b", "file:x"]


@pytest.mark.parametrize("name", NAMES)
def test_jdbc_url_resolves_to_its_file_for_any_path(tmp_path, name):
    file = tmp_path / name / "catalog.db"
    file.parent.mkdir()
    address = to_jdbc(file)
    assert address.isascii()
    assert not set(address) & set(" ,?#'\\")
    assert to_file(address) == file
    sqlite3.connect(address.removeprefix("jdbc:sqlite:"), uri=True).execute("CREATE TABLE t (x)").connection.close()
    assert file.is_file(), "SQLite itself opens the same file"


def test_plain_path_is_kept_verbatim_and_other_databases_have_no_file():
    assert to_file("jdbc:sqlite:.millrace/a%20b.db") == Path(".millrace/a%20b.db")
    assert to_file("jdbc:postgresql://db/catalog") is None
