"""What a file is, by its first bytes and never by its name: what is read as it is, and what has to be converted."""

import shlex

from millrace.errors import BadInputError

HEAD_BYTES = 8  # what every decision but one needs; a live source has that much in its first line
ZIP_HEAD_BYTES = 64  # a zip archive's first member tells a workbook from other archives
PACKED = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Where the zeros are in the first two letters of a header or an object, which are ASCII.
ZEROS = {"utf-16-le": "10101010", "utf-16-be": "01010101", "utf-32-le": "10001000", "utf-32-be": "00010001"}
# {file} is the file's name for a shell.
SAVE_AS = "save it as `CSV UTF-8 (comma delimited)` in the program that made it"
TO_CSV = (
    '`python3 -c "import sys, pandas; pandas.read_{kind}(sys.argv[1]).to_csv(sys.argv[2], index=False)" '
    "{file} NEW.csv` makes a CSV file of it"
)
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive", "`unzip -p {file} > NEW.csv` unpacks it"),
    (b"PK\x05\x06", "an empty zip archive", "create the archive again"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "`zstd -dc {file} > NEW.csv` unpacks it"),
    (b"\x04\x22\x4d\x18", "packed with lz4", "`lz4 -dc {file} > NEW.csv` unpacks it"),
    (b"\x1f\x9d", "packed with compress", "`gzip -dc {file} > NEW.csv` unpacks it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "`7z x -so {file} > NEW.csv` unpacks it"),
    (b"Rar!\x1a\x07", "a rar archive", "`unrar p -inul {file} > NEW.csv` unpacks it"),
    (b"PAR1", "a Parquet file", TO_CSV.replace("{kind}", "parquet")),
    (b"ORC", "an ORC file", TO_CSV.replace("{kind}", "orc")),
    (b"ARROW1", "an Arrow file", TO_CSV.replace("{kind}", "feather")),
    (b"Obj\x01", "an Avro file", "`avro-tools tojson {file} > NEW.jsonl` makes JSON lines of it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or another Office document", SAVE_AS),
    (b"SQLite f", "a SQLite database", "`sqlite3 -csv -header {file} 'SELECT * FROM ...' > NEW.csv` exports a table"),
    (b"%PDF-", "a PDF document", "export the table itself as CSV"),
    (b"\x89PNG", "a PNG image", "name the file that holds the rows"),
    (b"\xff\xd8\xff", "a JPEG image", "name the file that holds the rows"),
    (b"\x7fELF", "a program", "name the file that holds the rows"),
    (b"<!DOCTYP", "a web page", "download the file itself: what was saved is a page about it or a login"),
    (b"<!docty", "a web page", "download the file itself: what was saved is a page about it or a login"),
    (b"<html", "a web page", "download the file itself: what was saved is a page about it or a login"),
    (b"<?xml", "an XML document", "export the rows as CSV or JSON lines"),
)
MAGIC_WORDS = (b"PAR1", b"ORC", b"ARROW1")  # a CSV header may begin so too; these files go on with other bytes
WORKBOOK = (b"[Content_Types].xml", b"docProps/", b"_rels/", b"xl/")
ALLOWED = "CSV or JSON lines, also packed as gz, bz2 or xz"


def detect_packing(head: bytes) -> str | None:
    """`gz`, `bz2` or `xz`, which are unpacked while reading; None for all else."""
    name = next((name for magic, name in PACKED.items() if head.startswith(magic)), None)
    # A CSV header may begin with "BZh", but not with that and the digits of pi.
    return None if name == "bz2" and head[4:8] not in (b"1AY&", b"\x17rE8") else name


def detect_encoding(head: bytes) -> str | None:
    """The codec of UTF-16 or UTF-32 text, with or without a byte order mark; None for all else."""
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name
    zeros = "".join("0" if byte == 0 else "1" for byte in head)
    return next((name for name, expected in ZEROS.items() if len(head) > 3 and expected.startswith(zeros)), None)


def is_zip(head: bytes) -> bool:
    """Whether ZIP_HEAD_BYTES are needed to say what it is."""
    return head.startswith(b"PK\x03\x04")


def refuse_other_kinds(name: str, head: bytes) -> None:
    """Raises BadInputError for a file of another kind: what it is, and the command that makes a readable one of it."""
    for magic, kind, cure in KINDS:
        if not head.startswith(magic) or (magic in MAGIC_WORDS and _is_text(head[len(magic) :])):
            continue
        if is_zip(head) and any(member in head for member in WORKBOOK):
            kind, cure = "an Excel workbook", SAVE_AS
        elif is_zip(head) and b"mimetype" in head:
            kind, cure = "an OpenDocument file", SAVE_AS
        raise format_error(name, f"is {kind}", cure)


def format_error(name: str, what: str, cure: str) -> BadInputError:
    """The error for a file of another form; in `cure`, {file} becomes its name for a shell."""
    cure = cure.replace("{file}", "FILE" if name == "-" else shlex.quote(name))
    return BadInputError(
        f"{name} {what}; allowed: {ALLOWED}. {cure[0].upper()}{cure[1:]}.", code="bad_format", field="file"
    )


def _is_text(data: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in data) and data.isascii()
