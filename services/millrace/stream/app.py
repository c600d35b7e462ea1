"""The command of spark-apps/stream.py: sentences on standard error, an error as a JSON line on standard output."""

import argparse
import logging
import sys
import time
from typing import TYPE_CHECKING

from py4j.protocol import Py4JNetworkError

from millrace.errors import BadInputError, ConflictError, CorruptError, MillraceError, UnavailableError
from millrace.runtime.logs import start_logging
from millrace.runtime.metrics import serve_metrics
from millrace.runtime.retry import RepeatFilter
from millrace.runtime.signals import StopSignal
from millrace.runtime.text import dump_json
from millrace.settings import settings
from millrace.stream.champion import ChampionFollower
from millrace.stream.metrics import StreamMetrics
from millrace.workloads import find_workload as find
from millrace.workloads.base import PageModel, Workload

if TYPE_CHECKING:
    from millrace.stream.stream import PageStream

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 1.0  # seconds between two looks for the first champion
RESTART_DELAYS_S = (1, 2, 5, 10, 20, 30, 30, 30)  # seconds before the next attempt; after these the process ends


def find_page_model(workload: Workload) -> PageModel:
    """The page model that the stream scores with. Raises BadInputError where the workload has none."""
    if not workload.pages:
        raise BadInputError(f"{workload.name} has no page model, so that there is nothing to stream.", field="workload")
    return workload.pages[0]


def second_stream_sentence(name: str) -> str:
    """What to say to a stream that must not start because another one is running."""
    return (
        f"A stream for {name!r} is already running; only one is allowed. Stop it first: `millrace status` shows the "
        "one of this machine, `kubectl get sparkapplications` that of a cluster."
    )


def wait_for_champion(follower: ChampionFollower, stop: StopSignal) -> bool:
    """Wait for the first champion, without Spark; False when the wait was stopped."""
    sentences = RepeatFilter()
    while stop.signal is None:
        try:
            if follower.check():
                return True
            name = f"{follower.workload.name}/{follower.declared.name}"
            sentence = f"waiting for a champion of {name}; `millrace train {follower.workload.name}` makes one"
        except UnavailableError as error:
            sentence = f"waiting: {error}"
        if sentences.passes(sentence):
            log.info("%s", sentence)
        time.sleep(POLL_INTERVAL_S)
    return False


def run_stream(workload: Workload, stop: StopSignal) -> None:
    """Stream until the signal. Raises what can't be mended by a new attempt, or is not after several."""
    declared, metrics = find_page_model(workload), StreamMetrics(workload.name)
    metrics.set("running", 0)
    if port := settings().metrics_port:
        serve_metrics(metrics.registry, port, settings().metrics_host)
    follower = ChampionFollower(workload, declared)
    if not wait_for_champion(follower, stop):
        return
    from millrace.spark.session import start_session
    from millrace.stream.stream import PageStream

    log.info("starting Spark")
    # A task that is tried again would write its messages twice; a failed batch is repaired as a whole.
    session = start_session(
        f"millrace-stream-{workload.name}",
        {"spark.task.maxFailures": "1"},
    )
    failed = 0
    try:
        # Spark has taken SIGINT for itself.
        with stop.listen():
            while stop.signal is None:
                stream = PageStream(session, workload, declared, follower, metrics)
                try:
                    run_attempt(stream, stop)
                except ConflictError:
                    if stop.signal is None:  # else it was stopped while it waited for the other one
                        raise
                except (BadInputError, CorruptError, Py4JNetworkError):
                    raise
                except Exception as error:
                    failed = 1 if stream.batches else failed + 1
                    metrics.add("failures_total")
                    if failed > len(RESTART_DELAYS_S):
                        raise
                    pause = RESTART_DELAYS_S[failed - 1]
                    log.warning("the stream failed and begins again in %s s: %s", pause, describe_error(error))
                    until = time.monotonic() + pause
                    while stop.signal is None and time.monotonic() < until:
                        time.sleep(0.1)
    finally:
        session.stop()


def run_attempt(stream: "PageStream", stop: StopSignal) -> None:
    """Stream until the signal as the only one, or raise the fault."""
    from millrace.lake.lease import hold_lease

    name = stream.workload.name
    with hold_lease(f"stream-{name}", second_stream_sentence(name), lambda: stop.signal is None) as check:
        try:
            stream.begin(check)
            stream.follow(stop)
        finally:
            stream.close()


def describe_error(error: BaseException) -> str:
    """The line of an error that says most: our own sentence, or the innermost cause of a Java trace."""
    if isinstance(error, MillraceError):
        return error.message
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else lines[0])[:500]


def print_failure(error: MillraceError) -> int:
    """Print it as JSON, for whoever runs the script; its exit code."""
    print(dump_json({"error": error.as_dict()}, encoding=sys.stdout.encoding), flush=True)
    return error.exit_code


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code of the error tree, 0 after SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    options = parser.parse_args(arguments)
    start_logging()
    stop = StopSignal()
    try:
        with stop.listen():
            run_stream(find(options.workload), stop)
        return 0
    except MillraceError as error:
        return print_failure(error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - Spark's and the JVM's own
        return print_failure(MillraceError(f"The stream failed: {describe_error(error)}", code="spark_failed"))


if __name__ == "__main__":
    sys.exit(main())
