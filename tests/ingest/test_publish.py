"""Which sources get a receipt, and what is published of those that get none; Kafka is a list here."""

import os
from pathlib import Path

import pytest

from millrace.errors import BadInputError
from millrace.ingest import publish, receipts
from millrace.messaging.producer import Headers
from millrace.workloads import find_workload
from tests.cli.made import FIFTY_ROWS, HEADER, row

COURSES = find_workload("courses")


class Sent:
    """A producer that keeps what it is given; everything is acknowledged at once."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bytes | None]] = []
        self.offsets: dict[str, dict[int, tuple[int, int]]] = {}

    def send(self, topic: str, key: bytes, value: bytes | None, headers: Headers = ()) -> None:
        self.messages.append((topic, key, value))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def of(self, topic: str) -> list[bytes | None]:
        return [value for name, _, value in self.messages if name == topic]


@pytest.fixture
def sent(monkeypatch) -> Sent:
    """The messages of all ingests of a test; receipts are read from them."""
    kafka = Sent()
    monkeypatch.setattr(publish, "make_producer", lambda: kafka)

    def read_all(topic: str):
        return [
            type("Message", (), {"key": key, "value": value}) for name, key, value in kafka.messages if name == topic
        ]

    monkeypatch.setattr(receipts, "read_all", read_all)
    return kafka


def ingest_pipe(content: str) -> dict:
    reading, writing = os.pipe()
    os.write(writing, content.encode())
    os.close(writing)
    try:
        return publish.ingest_source(COURSES, f"/dev/fd/{reading}")
    finally:
        os.close(reading)


def test_each_pipe_is_published_in_full_without_receipt(sent):
    first, second = ingest_pipe(FIFTY_ROWS), ingest_pipe(HEADER + row(777))
    assert (first["read"], first["accepted"], first["already"]) == (50, 50, False)
    assert (second["read"], second["accepted"], second["already"]) == (1, 1, False)
    assert len(sent.of("courses.records")) == 51
    assert sent.of(receipts.RECEIPTS) == []


def test_file_is_recognised_under_any_name_and_published_once(sent, tmp_path):
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    for path in (file, other):
        path.write_text(FIFTY_ROWS)
    assert not publish.ingest_source(COURSES, str(file))["already"]
    assert publish.ingest_source(COURSES, str(other))["already"]
    assert len(sent.of("courses.records")) == 50
    assert not publish.ingest_source(COURSES, str(other), again=True)["already"]


def test_file_that_grows_while_being_read_gets_no_receipt(sent, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(FIFTY_ROWS)

    def append(*_: object) -> None:
        with file.open("a") as target:
            target.write(row(777))

    assert publish.ingest_source(COURSES, str(file), progress=append)["changed"]
    assert sent.of(receipts.RECEIPTS) == []
    assert not publish.ingest_source(COURSES, str(file))["already"]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_empty_file_is_rejected_without_receipt(sent, tmp_path, content):
    file = tmp_path / "a.csv"
    file.write_text(content)
    with pytest.raises(BadInputError, match=r"a\.csv is empty; allowed: ") as refused:
        publish.ingest_source(COURSES, str(file))
    assert refused.value.code == "empty_file"
    assert sent.messages == []


def test_rejected_row_from_file_with_non_utf8_name_is_published(sent, tmp_path):
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    file.write_text(HEADER + row(1).replace("Beginner Level", "hard"))
    assert publish.ingest_source(COURSES, str(file))["rejected"] == {"unknown_level": 1}
    assert rb"caf\\xe9.csv" in sent.of("courses.rejected")[0]


def test_result_lists_extra_renamed_and_missing_columns(sent, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(HEADER.replace("price", "Price").strip() + ",rank\n" + row(1).strip() + ",7\n")
    result = publish.ingest_source(COURSES, str(file))
    assert (result["ignored"], result["renamed"], result["accepted"]) == (["rank"], {"Price": "price"}, 1)
    file.write_text("product_id,product_name,category,discounted_price,actual_price,discount_percentage\nB,x,c,1,2,3\n")
    assert "rating" in publish.validate_source(find_workload("products"), str(file)).as_dict()["lacking"]
