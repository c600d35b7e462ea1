"""Looking at every part that a pipeline stands on, each with what was found and its cure."""

import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from millrace.errors import ConflictError, MillraceError, NotFoundError
from millrace.local.home import make_home
from millrace.rights import DOCTOR
from millrace.runtime import http
from millrace.settings import require_address, settings

LAST_DELTAS = 100  # offsets at the end of a topic of deltas among which an updater has published something
MAX_SILENCE_S = 30  # seconds after which an updater that says nothing is at fault
MAX_CLOCK_SKEW_S = 60  # seconds that clocks may differ before signatures and time windows go wrong


def examine(only: Iterable[str] = ()) -> list[dict[str, Any]]:
    """[{"check", "ok", "found", "cure"}], one for each part; a failed part does not hide the next one."""
    chosen = set(only) or {name for name, _, _ in CHECKS}
    results = []
    for name, check, cure in CHECKS:
        if name in chosen:
            results.append(run_check(name, check, cure))
    return results


def run_check(name: str, check: Callable[[], str], cure: str) -> dict[str, Any]:
    """What became of one check: `check` returns what it found, or raises."""
    try:
        return {"check": name, "ok": True, "found": check(), "cure": None}
    except (MillraceError, OSError) as error:
        return {"check": name, "ok": False, "found": str(error), "cure": cure}


class CheckFailedError(MillraceError):
    """A check that did not hold."""


def _check_java() -> str:
    from millrace.local import java

    program = java.find_java()
    return f"{program}, version {java.read_version(program)}"


def _check_jars() -> str:
    from millrace.local import jars
    from millrace.local.stack import BUNDLES

    missing = [jar.path for bundle in BUNDLES for jar in jars.find_missing(bundle)]
    if missing:
        raise CheckFailedError(f"{len(missing)} jars are missing, the first is {missing[0]}")
    return f"all in {settings().cache}"


def _check_disk() -> str:
    home = make_home()
    free = shutil.disk_usage(home).free
    if free < settings().local_disk:
        raise CheckFailedError(f"{free / 1e9:.1f} GB free in {home}, {settings().local_disk / 1e9:.1f} GB wanted")
    return f"{free / 1e9:.1f} GB free"


def _check_kafka() -> str:
    from millrace.messaging.topics import find_missing_topics
    from millrace.workloads import load_workloads

    if missing := find_missing_topics(load_workloads().values()):
        raise CheckFailedError(f"reached, but these topics are missing: {', '.join(missing)}")
    return f"{settings().kafka_bootstrap}, all topics present"


def _check_transactions() -> str:
    from millrace.messaging import hanging_transactions

    if transactions := hanging_transactions.find_hanging():
        raise CheckFailedError("; ".join(str(transaction) for transaction in transactions))
    return "none hangs"


def _check_connect() -> str:
    from millrace.lake import sink
    from millrace.workloads import load_workloads

    states = [sink.sink_status(name) for name in load_workloads()]
    bad = [
        f"{status['connector']} is {status['state']}, "
        f"tasks {[(task['state'], task['cause']) for task in status['tasks']]}"
        for status in states
        if status["state"] != "RUNNING"
        or not status["tasks"]
        or any(task["state"] != "RUNNING" for task in status["tasks"])
    ]
    if bad:
        raise CheckFailedError("; ".join(bad))
    return ", ".join(status["connector"] for status in states) + " running"


def _check_conditional_writes() -> str:
    """Four writes that prove it: create, create again (refused), replace, replace with the old tag (refused)."""
    from millrace.registry.store import ObjectStore

    store = ObjectStore(settings().models_bucket)
    key = f"{DOCTOR}{secrets.token_hex(8)}"
    first = store.put_if_absent(key, b"1")
    try:
        _must_refuse(lambda: store.put_if_absent(key, b"2"), "If-None-Match: * on an object that exists")
        store.put_if_match(key, b"3", first)
        _must_refuse(lambda: store.put_if_match(key, b"4", first), "If-Match with an old ETag")
        if store.get(key)[0] != b"3":
            raise CheckFailedError("a refused write changed the object")
    finally:
        store.delete(key)
    return f"{settings().s3_endpoint or 'AWS'} honours If-None-Match and If-Match"


def _must_refuse(write: Callable[[], Any], what: str) -> None:
    try:
        write()
    except (ConflictError, NotFoundError):
        return
    raise CheckFailedError(f"the S3 server accepted {what}: two promotions could both win")


def _check_catalog() -> str:
    from millrace.lake import NAMESPACE
    from millrace.lake.catalog import load_catalog

    try:
        names = [".".join(name) for name in load_catalog().list_tables(NAMESPACE)]
    except Exception as error:
        raise CheckFailedError(f"{settings().catalog_jdbc}: {error}") from error
    return f"{settings().catalog_jdbc}: {len(names)} tables"


def _check_clock() -> str:
    """The clock of this machine, against this century and the S3 server, whose Date header counts for signatures."""
    now = time.time()
    if not 1_700_000_000 < now < 4_102_444_800:
        raise CheckFailedError(f"this machine says it is {time.ctime(now)}")
    endpoint = require_address("s3_endpoint") or f"https://s3.{settings().s3_region}.amazonaws.com"
    try:
        date = http.request("HEAD", endpoint, timeout=5).headers.get("date")
    except httpx.HTTPError as error:
        raise CheckFailedError(f"{endpoint} does not answer: {type(error).__name__}") from None
    skew = abs(now - parsedate_to_datetime(date).timestamp()) if date else 0.0
    if skew > MAX_CLOCK_SKEW_S:
        raise CheckFailedError(
            f"this machine and {endpoint} differ by {skew:.0f} s; at most {MAX_CLOCK_SKEW_S} s is fine"
        )
    return f"{skew:.0f} s from the S3 server's"


def _check_lake() -> str:
    """Every offset that Kafka ever gave is in the lake, explained, or on its way; rows that stand twice do no harm."""
    from millrace.lake.progress import measure_landing
    from millrace.workloads import load_workloads

    landings = {workload.name: measure_landing(workload) for workload in load_workloads().values()}
    sentences = [f"{name}: {landing}" for name, landing in landings.items()]
    if any(landing.lost for landing in landings.values()):
        raise CheckFailedError("; ".join(sentences))
    return "; ".join(sentences)


def _check_online() -> str:
    """The updater says once a second how far it is, for every workload whose recommender has a champion."""
    from millrace.messaging.fence import Fence
    from millrace.messaging.reader import last_messages
    from millrace.registry.registry import Registry
    from millrace.workloads import load_workloads

    registry, sentences, faults = Registry(), [], []
    for workload in load_workloads().values():
        if not any(registry.champion(workload.name, model.name) for model in workload.recommenders):
            continue
        fences = [Fence(model.name) for model in workload.recommenders]
        # Signs of life say that an updater runs, not that it publishes.
        times = [
            message.timestamp
            for message in last_messages(workload.deltas_topic, LAST_DELTAS)
            if not any(fence.is_control(message.key) for fence in fences)
        ]
        age = time.time() - max(times) / 1000 if times else None
        if age is None or age > MAX_SILENCE_S:
            faults.append(f"{workload.name}: the updater {f'spoke {age:.0f} s ago' if age else 'has not reported'}")
        else:
            sentences.append(f"{workload.name} followed")
    if faults:
        raise CheckFailedError("; ".join(faults))
    return ", ".join(sentences) or "no recommender has a champion yet"


# Name, check, cure. In the order in which one part stands on another.
CHECKS: list[tuple[str, Callable[[], str], str]] = [
    ("java", _check_java, "Install a JRE of 17 or newer, for example openjdk-17-jre-headless."),
    ("jars", _check_jars, "`millrace up` downloads what is missing."),
    ("disk", _check_disk, "Free some space, or set MILLRACE_HOME to a larger disk."),
    ("kafka", _check_kafka, "`millrace status` shows the broker; `millrace up` starts it."),
    (
        "transactions",
        _check_transactions,
        "The supervisor ends them; elsewhere see docs/operations.md, A hanging transaction.",
    ),
    ("connect", _check_connect, "`millrace status` shows the tasks and their cause; failed ones are restarted."),
    (
        "s3 conditional PUT",
        _check_conditional_writes,
        "Use an S3 that honours If-None-Match and If-Match: promotions need it.",
    ),
    ("catalog", _check_catalog, "Check MILLRACE_CATALOG_JDBC and the database behind it."),
    (
        "lake",
        _check_lake,
        "docs/operations.md, A gap: land them again from Kafka, or accept the gap once by `train --accept-gaps`.",
    ),
    (
        "online",
        _check_online,
        "`millrace status` shows the updater, and its log why; where events are lost, train again.",
    ),
    ("clock", _check_clock, "Set this machine's clock, for example with chrony or systemd-timesyncd."),
]
