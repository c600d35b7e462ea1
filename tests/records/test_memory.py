"""A stream of any length is read and checked in the same memory."""

import csv
import io
import random
import tracemalloc
from collections.abc import Iterator

from millrace.ingest.check import RecordChecker
from millrace.records.duplicates import DuplicateFilter
from millrace.records.readers import Source, read_rows
from millrace.workloads import find_workload

COURSES = find_workload("courses")


def test_constant_memory_over_a_long_stream():
    line = ",".join(COURSES.fields) + "\n"
    pool = list(COURSES.generate(random.Random(1), 500))

    def lines() -> Iterator[bytes]:
        yield line.encode()
        for number in range(30_000):
            target = io.StringIO()
            csv.writer(target).writerow({**pool[number % 500], "course_id": f"C{number}"}.values())
            yield target.getvalue().encode()

    stream = lines()
    source = Source("-", io.BytesIO(), type("", (), {"readline": lambda self, limit: next(stream, b"")})(), None)
    seen = DuplicateFilter(in_memory=2000)
    checker = RecordChecker(COURSES, "", seen)
    result = checker.check(read_rows(source, COURSES.fields))
    for _ in zip(range(5000), result, strict=False):
        pass
    tracemalloc.start()
    for _ in result:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    seen.close()
    assert checker.counts.read == 30_000
    assert peak < 2_000_000
