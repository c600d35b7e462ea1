"""Passes events through the counts of a version and prints what that took: for a process of its own.

python -m tests.online.updater_memory WORKLOAD EVENTS FOLDER
"""

import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from millrace.online.event_counts import EventCounts
from millrace.online.scratch import ScratchFolder
from millrace.online.version_base import VersionBase
from millrace.recommend.live_arrays import EXACT_UNITS, LiveParameters
from millrace.runtime.text_arrays import TextArray
from millrace.workloads import find_workload

ITEMS, USERS, PARTITIONS = 3000, 100_000, 4
START = datetime(2026, 11, 1, tzinfo=UTC)


def make_events(workload: str, count: int) -> Iterator[dict]:
    """Enrolments of many students, or purchases whose customer is mostly unknown."""
    chooser = random.Random(5)
    for number in range(count):
        item, at = f"I{min(ITEMS - 1, int(chooser.expovariate(1 / 300)))}", START + timedelta(seconds=number / 100)
        user = f"U{chooser.randrange(USERS)}"
        if workload == "mooc":
            yield {"user_id": user, "course_id": item, "enrolled_at": at}
        else:
            customer = user if chooser.random() < 0.25 else None
            yield {
                "order_id": f"O{number // 2}",
                "product_id": item,
                "event_time": at,
                "price": 1.0,
                "user_id": customer,
            }


def main(name: str, count: int, folder: Path) -> None:
    workload = find_workload(name)
    model = workload.recommenders[0]
    items = {f"I{item}": item for item in range(ITEMS)}
    nothing = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.uint64)
    live = LiveParameters(share=1.0, scale=EXACT_UNITS)
    base = VersionBase(workload, model, "V", live, items, TextArray.from_texts([]), *nothing)
    began, messages = time.process_time(), 0
    arrived_ms = int(START.timestamp() * 1000)
    with ScratchFolder(folder, 1 << 40) as scratch:
        counts = EventCounts(base, scratch)
        for number, record in enumerate(make_events(name, count)):
            counts.add(record, (arrived_ms + number * 10, number % PARTITIONS, number))
            if number % 50_000 == 49_999:
                messages += sum(1 for _ in counts.messages())
                counts.mark_published()
        report = {
            "accepted": counts.accepted,
            "popular": sum(counts.popularity(item)[1] for item in range(ITEMS)),
            "messages": messages,
            "events_per_cpu_second": round(count / (time.process_time() - began)),
            "scratch_bytes_per_event": round(scratch.count_bytes() / count),
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
        counts.close()
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
