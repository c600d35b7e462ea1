"""Dead letters are written down beside the data while Kafka tells of them, also for workloads that nobody trains."""

import subprocess
import sys
import time

from millrace.messaging.reader import end_offsets
from millrace.messaging.topics import DEAD_LETTERS

CHECK_INTERVAL_S = 3600.0  # seconds between two looks at the topic
RETRY_DELAY_S = 60.0  # seconds after a look that failed
TIMEOUT_S = 600.0  # seconds that COMMAND may take
COMMAND = (sys.executable, "-m", "millrace.lake.gaps")


class DeadLetterRecorder:
    """Runs COMMAND once an hour, where there are dead letters that it has not seen.

    In a process of its own, which ends: the libraries of the lake would take 100 MB of the supervisor for good.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._due = 0.0

    def record_new(self) -> list[str]:
        """What COMMAND says: a sentence for each workload with new ones, or what went wrong; nothing before it is due.

        Raises UnavailableError.
        """
        if time.monotonic() < self._due:
            return []
        self._due = time.monotonic() + RETRY_DELAY_S
        ends = end_offsets(DEAD_LETTERS)
        sentences: list[str] = []
        if any(ends.values()) and ends != self._seen:
            done = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)
            sentences = done.stderr.splitlines()
            if done.returncode:
                return sentences
        self._seen, self._due = ends, time.monotonic() + CHECK_INTERVAL_S
        return sentences
