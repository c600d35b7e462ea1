"""The command of spark-apps/stream.py: sentences on standard error, an error as a JSON line on standard output."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from py4j.protocol import Py4JNetworkError

from millrace.errors import BadInput, Conflict, Corrupt, MillraceError, Unavailable
from millrace.ingest.publish import Stop
from millrace.runtime.text import dump_json, make_printable, print_logs_safely
from millrace.settings import settings
from millrace.stream.champion import Follower
from millrace.stream.metrics import Metrics
from millrace.workloads import workload as find
from millrace.workloads.base import PageModel, Workload

if TYPE_CHECKING:
    from millrace.stream.stream import Stream

LOOK = 1.0  # seconds between two looks for the first champion
PAUSES = (1, 2, 5, 10, 20, 30, 30, 30)  # seconds before the next attempt; after these the process ends


def say(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(make_printable(sentence, newlines=True), file=sys.stderr, flush=True)


def page_model(workload: Workload) -> PageModel:
    """The page model that the stream scores with. Raises BadInput where the workload has none."""
    if not workload.pages:
        raise BadInput(f"{workload.name} has no page model, so that there is nothing to stream.", field="workload")
    return workload.pages[0]


def second(name: str) -> str:
    """The sentence for a stream that may not start, as another runs."""
    return (
        f"Another stream of {name} runs; one is allowed. `millrace status` shows the one of this machine, "
        "`kubectl get sparkapplications` that of a cluster; end the other."
    )


def wait(follower: Follower, stop: Stop) -> bool:
    """Wait for the first champion, without Spark; False when the wait was stopped."""
    printed = None
    while stop.signal is None:
        try:
            if follower.look():
                return True
            name = f"{follower.workload.name}/{follower.declared.name}"
            sentence = f"waiting for a champion of {name}; `millrace train {follower.workload.name}` makes one"
        except Unavailable as error:
            sentence = f"waiting: {error}"
        if sentence != printed:
            say(sentence)
        printed = sentence
        time.sleep(LOOK)
    return False


def run(workload: Workload, stop: Stop) -> None:
    """Stream until the signal. Raises what can't be mended by a new attempt, or is not after several."""
    declared, metrics = page_model(workload), Metrics(workload.name)
    metrics.set("running", 0)
    if port := settings().metrics_port:
        metrics.serve(port, settings().metrics_host)
    follower = Follower(workload, declared, say)
    if not wait(follower, stop):
        return
    from millrace.stream.stream import Stream
    from millrace.training.session import spark

    say("starting Spark")
    # A task that is tried again would write its messages twice; a failed batch is repaired as a whole.
    session = spark(
        f"millrace-stream-{workload.name}",
        {"spark.task.maxFailures": "1"},
    )
    failed = 0
    try:
        # Spark has taken SIGINT for itself.
        with stop.listening():
            while stop.signal is None:
                stream = Stream(session, workload, declared, follower, metrics)
                try:
                    attempt(stream, stop)
                except Conflict:
                    if stop.signal is None:  # else it was stopped while it waited for the other one
                        raise
                except (BadInput, Corrupt, Py4JNetworkError):
                    raise
                except Exception as error:
                    failed = 1 if stream.batches else failed + 1
                    metrics.add("failures_total")
                    if failed > len(PAUSES):
                        raise
                    pause = PAUSES[failed - 1]
                    say(f"the stream failed and begins again in {pause} s: {sentence_of(error)}")
                    until = time.monotonic() + pause
                    while stop.signal is None and time.monotonic() < until:
                        time.sleep(0.1)
    finally:
        session.stop()


def attempt(stream: "Stream", stop: Stop) -> None:
    """Stream until the signal as the only one, or raise the fault."""
    from millrace.lake.lease import hold

    name = stream.workload.name
    with hold(f"stream-{name}", second(name), lambda: stop.signal is None) as check:
        try:
            stream.begin(check)
            stream.follow(stop)
        finally:
            stream.close()


def sentence_of(error: BaseException) -> str:
    """The line of an error that says most: our own sentence, or the innermost cause of a Java trace."""
    if isinstance(error, MillraceError):
        return error.message
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else lines[0])[:500]


def failed(error: MillraceError) -> int:
    """Print it as JSON, for whoever runs the script; its exit code."""
    print(dump_json({"error": error.as_dict()}, encoding=sys.stdout.encoding), flush=True)
    return error.exit_code


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit code of the error tree, 0 after SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    options = parser.parse_args(arguments)
    print_logs_safely()
    stop = Stop()
    try:
        with stop.listening():
            run(find(options.workload), stop)
        return 0
    except MillraceError as error:
        return failed(error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - Spark's and the JVM's own
        return failed(MillraceError(f"The stream failed: {sentence_of(error)}", code="spark_failed"))


if __name__ == "__main__":
    sys.exit(main())
