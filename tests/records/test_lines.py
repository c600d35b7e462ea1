"""Opening a source: plain, gz, damaged, absent, standard input."""

import gzip
import io
import sys
from pathlib import Path

import pytest

from millrace.errors import BadInputError, NotFoundError
from millrace.records.readers import open_source, read_rows

FIELDS = ("id", "name")
ONE = [{"id": "1", "name": "a"}]


def test_gzip_file_is_read_regardless_of_name(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(gzip.compress(b"id,name\n1,a\n"))
    with open_source(str(file)) as source:
        assert [row.values for row in read_rows(source, FIELDS)] == ONE
        assert source.position == source.size == file.stat().st_size


@pytest.mark.parametrize("damage", ["truncated", "flipped", "header only", "trailer"])
def test_damaged_gzip_file_is_rejected(tmp_path, damage):
    whole = gzip.compress("".join(["id,name\n", *(f"{n},{n * 7919}\n" for n in range(5000))]).encode())
    middle = len(whole) // 2
    content = {
        "truncated": whole[:middle],
        "flipped": whole[:middle] + b"\xff" * 64 + whole[middle + 64 :],
        "header only": whole[:5],
        "trailer": whole[:-8] + bytes(8),
    }[damage]
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(content)
    with (
        pytest.raises(BadInputError, match=r"rows.csv.gz is a damaged gz file") as refused,
        open_source(str(file)) as source,
    ):
        list(read_rows(source, FIELDS))
    assert refused.value.code == "damaged_file"


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_unreadable_path_raises_not_found(tmp_path: Path, name):
    with pytest.raises(NotFoundError, match="can't be read") as refused, open_source(str(tmp_path / name)):
        pass
    assert refused.value.code == "no_such_file"


def test_dash_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id,name\n1,a\n")))
    with open_source("-") as source:
        assert [row.values for row in read_rows(source, FIELDS)] == ONE
        assert (source.size, source.position) == (None, 0)
