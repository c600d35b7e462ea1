"""Files of another kind: read as what they hold, or named with the command that converts them."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.errors import BadInputError
from millrace.records.readers import open_source, read_rows
from millrace.records.sniff import detect_encoding, detect_packing
from millrace.records.streams import (
    PrefixedStream,
    RecodedStream,
    UnpackedStream,
    buffer,
    make_bz2_decompressor,
    make_xz_decompressor,
)

FIELDS = ("id", "name")
CSV = "id,name\n1,é\n2,b\n"
ROWS = [{"id": "1", "name": "é"}, {"id": "2", "name": "b"}]
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def written(folder: Path, content: bytes, name: str = "it.csv") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def values(path: str) -> list:
    with open_source(path) as source:
        return [row.values for row in read_rows(source, FIELDS)]


def refusal(path: str) -> BadInputError:
    with pytest.raises(BadInputError) as refused:
        values(path)
    assert refused.value.message.isprintable()
    return refused.value


@pytest.mark.parametrize("form", PACKERS)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_compressed_and_unicode_files_are_read_regardless_of_name(tmp_path, form, codec):
    assert values(written(tmp_path, PACKERS[form](CSV.encode(codec)))) == ROWS
    assert values(written(tmp_path, CSV.encode(codec))) == ROWS


@pytest.mark.parametrize("form", ["bz2", "xz"])
def test_concatenated_compressed_parts_are_read_despite_padding(tmp_path, form):
    parts = [PACKERS[form](part.encode()) for part in (CSV, "3,c\n", "4,d\n")]
    assert len(values(written(tmp_path, (b"\0" * 8).join(parts) + b"\0" * 512))) == 4


@pytest.mark.parametrize("form", ["bz2", "xz"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "garbage behind"])
def test_damaged_compressed_file_is_rejected(tmp_path, form, damage):
    whole = PACKERS[form]("".join(["id,name\n", *(f"{n},{n * 7919}\n" for n in range(5000))]).encode())
    middle = len(whole) // 2
    content = {
        "truncated": whole[:middle],
        "flipped": whole[:middle] + b"\xff" * 64 + whole[middle + 64 :],
        "garbage behind": whole + b"garbage",
    }[damage]
    error = refusal(written(tmp_path, content))
    assert error.code == "damaged_file"
    assert f"it.csv is a damaged {form} file: " in error.message


def test_truncated_utf16_is_rejected_as_damaged(tmp_path):
    error = refusal(written(tmp_path, CSV.encode("utf-16")[:-1]))
    assert (error.code, "damaged UTF-16 text file" in error.message) == ("damaged_file", True)


def test_lone_surrogate_affects_only_its_own_row(tmp_path):
    content = "id,name\n1,\ud800\n2,b\n".encode("utf-16", "surrogatepass")
    first, second = values(written(tmp_path, content))
    assert (first["name"].isprintable(), second) == (False, ROWS[1])


def test_decompression_bomb_is_unpacked_in_constant_memory():
    zeros = 20_000_000
    for packed, begin in (
        (bz2.compress(b"0" * zeros, 9), make_bz2_decompressor),
        (lzma.compress(b"0" * zeros, preset=0), make_xz_decompressor),
    ):
        stream = buffer(UnpackedStream(buffer(PrefixedStream(packed, io.BytesIO())), begin))
        tracemalloc.start()
        stream.read(1 << 16)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000


def test_xz_requiring_gigabytes_of_memory_is_rejected(tmp_path):
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(CSV.encode(), filters=greedy))
    size = 12 + 4  # header of the stream, then size, flags, and id and length of the filter: its dictionary
    assert packed[size] == 16  # 1 MiB, as the format writes it
    packed[size] = 37  # 3 GiB
    length = (packed[12] + 1) * 4
    packed[12 + length - 4 : 12 + length] = zlib.crc32(packed[12 : 12 + length - 4]).to_bytes(4, "little")
    error = refusal(written(tmp_path, bytes(packed)))
    assert (error.code, "Memory usage limit" in error.message) == ("damaged_file", True)


@given(st.binary(max_size=80), st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le"]))
def test_any_unicode_encoded_bytes_decode_as_in_python_or_are_rejected(junk, codec):
    stream = buffer(RecodedStream(io.BytesIO(junk), codec))
    try:
        expected = junk.decode(codec, "surrogatepass")
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            stream.read()
        return
    assert stream.read() == expected.encode("utf-8", "surrogatepass")


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "what", "cure"),
    [
        (zipped("a.csv"), "is a zip archive", "`unzip -p it.csv > NEW.csv` unpacks it"),
        (zipped(), "is an empty zip archive", "Create the archive again"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "is an Excel workbook", "CSV UTF-8"),
        (zipped("docProps/app.xml"), "is an Excel workbook", "CSV UTF-8"),
        (zipped("mimetype"), "is an OpenDocument file", "CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook", "CSV UTF-8"),
        (b"\x28\xb5\x2f\xfd\x04\x00\x00\x00", "is packed with zstd", "`zstd -dc it.csv > NEW.csv`"),
        (b"PAR1\x15\x04\x15\x10", "is a Parquet file", "pandas.read_parquet"),
        (b"ORC\x08\x03\x10\x00\x18", "is an ORC file", "pandas.read_orc"),
        (b"Obj\x01\x04\x14avro.codec", "is an Avro file", "avro-tools tojson it.csv"),
        (b"SQLite format 3\0", "is a SQLite database", "sqlite3 -csv -header it.csv"),
        (b"<!DOCTYPE html>\n<html>", "is a web page", "what was saved is a page about it"),
        (gzip.compress(gzip.compress(CSV.encode())), "is packed twice, gz in gz", "`gzip -dc it.csv > NEW.gz`"),
        (bz2.compress(gzip.compress(CSV.encode())), "is packed twice, gz in bz2", "`bzip2 -dc it.csv > NEW.gz`"),
        (gzip.compress(zipped("a.csv")), "is a zip archive", "unzip -p"),
    ],
    # Archives hold the time at which they were made, and the name of a test must be the same in every process.
    ids=lambda part: "content" if isinstance(part, bytes) else part,
)
def test_unsupported_file_format_is_reported_with_a_fix(tmp_path, content, what, cure):
    error = refusal(written(tmp_path, content))
    assert error.code == "bad_format"
    assert f"it.csv {what}" in error.message
    assert cure in error.message
    assert "allowed: CSV or JSON lines" in error.message


def test_file_name_with_spaces_is_quoted_in_command(tmp_path):
    assert "`unzip -p 'my file.zip' > " in refusal(written(tmp_path, zipped("a.csv"), "my file.zip")).message


@pytest.mark.parametrize("header", ["ORC,id,name", "PAR1,id,name", "BZh,id,name", "BZh9,id,name", "ORC", "PK,id,name"])
def test_header_starting_like_another_format_is_read_as_header(tmp_path, header):
    columns = header.split(",")
    content = f"{','.join(dict.fromkeys([*columns, 'id', 'name']))}\n"
    assert values(written(tmp_path, content.encode())) == []


@given(st.text(min_size=4, max_size=30).filter(lambda text: "\0" not in text))
def test_utf8_text_is_never_detected_as_other_encoding_or_compressed(text):
    head = text.encode()[:8]
    assert detect_encoding(head) is None
    assert detect_packing(head) is None
