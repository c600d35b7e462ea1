"""A record id is in the table, the topics and the counts once, however often Kafka holds it; test_stream.py has the
real ones."""

from functools import partial

import numpy as np
import orjson
import pyarrow as pa
import pytest

from millrace.ingest.check import RecordChecker
from millrace.records.accepted_records import AcceptedRecord
from millrace.records.readers import RawRow
from millrace.stream.batch import describe_left_out, score_batch
from millrace.stream.record_index import ARRIVAL, RecordIndex, find_repeats, hash_record_ids
from millrace.stream.score import PAGE, hash_rows, make_messages, score_pages
from millrace.stream.tally import ClusterTally
from tests.stream.frames import Frame
from tests.stream.made import Sent, declared
from tests.stream.made import arrays as made_arrays

T0 = 1_779_000_000
WORKLOAD, MODEL = declared()
SCORING = partial(score_pages, arrays=Sent(made_arrays(1)), version="v1", declared=MODEL)


def ingested(count: int) -> list[bytes]:
    """What an ingest of the same rows publishes, every time it is run."""
    checker = RecordChecker(WORKLOAD, "pages.csv")
    rows = [
        {"creation_time": "2026-05-01T00:00:00Z", "id": str(number), "url": f"http://a.org/{number}", "title": "storm"}
        for number in range(count)
    ]
    outcomes = [checker.check_row(RawRow(number, orjson.dumps(row).decode(), row)) for number, row in enumerate(rows)]
    assert all(isinstance(outcome, AcceptedRecord) for outcome in outcomes)
    return [outcome.value for outcome in outcomes]


def arrived(values: list[bytes], offset: int, partition: int = 0) -> pa.RecordBatch:
    """Records as Spark's source gives them, from an offset on."""
    count = len(values)
    columns = {
        "partition": pa.array([partition] * count, pa.int32()),
        "offset": pa.array(range(offset, offset + count), pa.int64()),
        "timestamp": pa.array([T0 * 1_000_000] * count, pa.timestamp("us", "UTC")),
        "value": pa.array(values, pa.binary()),
    }
    return pa.RecordBatch.from_pydict(columns)


class Lake:
    """The table, the topics and the counts, as the stream fills them."""

    def __init__(self, folder):
        self.folder = folder
        self.rows, self.keys, self.tally = [], [], ClusterTally(MODEL.window)
        self.start()

    def start(self) -> None:
        """The stream as a new process: what it knows is in the table."""
        table = [pa.RecordBatch.from_pylist(self.rows, pa.schema({"record_id": pa.string()}))] if self.rows else []
        hashes = [np.frombuffer(row["hashes"], np.uint64) for batch in hash_rows(table) for row in batch.to_pylist()]
        self.index = RecordIndex.build(self.folder, hashes)

    def run(self, *batches: pa.RecordBatch, end: str = ""):
        """A micro-batch; `end` is where the process was killed."""
        with score_batch(Frame(*batches), SCORING, MODEL.window, self.index) as batch:
            if end == "before the commit":
                return self.start()
            self.rows += [dict(row) for row in batch.pages.collect()]
            if end == "after the commit":
                return self.start()
            self.index.add(batch.hashes)
            messages = make_messages(batch.pages.batches, "urls", {}, frozenset())
            self.keys += [key for part in messages for key in part.column("key").to_pylist()]
        self.tally.add(batch.summary)
        return batch.summary

    def offsets(self) -> list[tuple[int, int]]:
        return [(row["kafka_partition"], row["kafka_offset"]) for row in self.rows]


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path)


def test_page_ingested_twice_is_one_row_one_message_and_counted_once(lake):
    [page], [again] = ingested(1), ingested(1)
    assert page == again
    summary = lake.run(arrived([page, again], 10))
    assert lake.offsets() == [(0, 10)]
    assert set(lake.rows[0]) == set(PAGE)
    assert lake.keys == [b"0:10"]
    assert lake.tally.sizes.total() == sum(counts.total() for counts in lake.tally.windows.values()) == 1
    assert (summary.rows, summary.repeated, summary.unreadable) == (1, 1, 0)
    assert summary.offsets == {0: (10, 11)}  # the copy is read too
    assert summary.placed.sum() == 1  # for the drift
    assert describe_left_out(summary) == ["1 records are in the table of pages already and were left out"]


def test_copy_in_another_task_or_a_later_batch_is_left_out(lake):
    pages = ingested(30)
    lake.run(arrived(pages[:20], 0, 1), arrived(pages[10:25], 0, 2))
    assert sorted(lake.offsets()) == [(1, offset) for offset in range(20)] + [(2, offset) for offset in range(10, 15)]
    summary = lake.run(arrived(pages, 20, 1))
    assert (summary.rows, summary.repeated) == (5, 25)
    assert len({row["record_id"] for row in lake.rows}) == len(lake.rows) == len(lake.keys) == 30
    assert lake.tally.sizes.total() == 30
    assert lake.run(arrived(pages, 50, 1)).rows == 0


@pytest.mark.parametrize("end", ["before the commit", "after the commit"])
def test_killed_stream_finds_in_the_table_what_it_must_leave_out(lake, end):
    pages = ingested(40)
    lake.run(arrived(pages[:10], 0))
    lake.run(arrived(pages[5:25], 10), end=end)
    summary = lake.run(arrived(pages, 30) if end.startswith("after") else arrived(pages[5:25] + pages, 10))
    assert summary.rows == (15 if end.startswith("after") else 30)
    assert sorted(row["url"] for row in lake.rows) == sorted(f"http://a.org/{number}" for number in range(40))


def test_grown_file_adds_only_its_new_rows_and_records_without_id_are_all_pages(lake):
    lake.run(arrived(ingested(3), 0))
    without = [orjson.dumps({"url": "http://a.org/0", "title": ""})] * 2
    summary = lake.run(arrived(ingested(5) + without, 3))
    assert (summary.rows, summary.repeated) == (4, 3)
    assert [row["record_id"] for row in lake.rows].count("") == 2
    lake.start()
    assert lake.run(arrived(without, 10)).rows == 2


def test_first_copy_of_a_batch_stays_and_the_others_are_named_by_partition(tmp_path):
    index = RecordIndex(tmp_path)
    index.add(np.array([7], np.uint64))
    arrivals = np.array([(1, 5, 3), (1, 4, 3), (2, 0, 7), (0, 9, 3), (2, 1, 8), (1, 6, 3)], ARRIVAL)
    assert {partition: offsets.tolist() for partition, offsets in find_repeats(arrivals, index).items()} == {
        1: [4, 5, 6],
        2: [0],
    }
    assert find_repeats(np.empty(0, ARRIVAL), index) == {}


def test_index_on_disk_answers_as_a_set(tmp_path):
    index, known, random = RecordIndex(tmp_path, recent_hashes=50, merged_hashes=16), set(), np.random.default_rng(5)
    for size in (1000, 0, 1, 60, 49, 300, *[10] * 60):
        hashes = random.integers(0, 3000, size, np.uint64) << np.uint64(50)
        asked = np.arange(3000, dtype=np.uint64) << np.uint64(50)
        index.add(hashes)
        known.update(hashes.tolist())
        assert index.contains(asked).tolist() == [value in known for value in asked.tolist()]
    assert len(index) == 2010
    assert 1 < len(index._runs) < 8
    assert all((run[1:] >= run[:-1]).all() for run in index._runs)
    assert len(index._recent) < 50, "the rest is on disk"
    assert list(tmp_path.iterdir()) == [], "files without a name end with the process"


def test_hashes_are_the_same_in_driver_and_workers_for_ids_of_any_producer():
    record_ids = ["0" * 32, "f" * 32, "order 7", "\u00e4" * 100, "x"]
    hashes = hash_record_ids(record_ids)
    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == len(record_ids)
    assert [hash_record_ids([record_id])[0] for record_id in record_ids] == hashes.tolist()
    table = pa.RecordBatch.from_pydict({"record_id": [*record_ids, "", None]})
    [packed] = hash_rows([table])
    assert packed.column("hashes").to_pylist() == [hashes.tobytes()]
