"""What each component does with objects, in the order of its life, for tests of rights."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from millrace import provision
from millrace.doctor import examine
from millrace.errors import ConflictError, UnavailableError
from millrace.lake import NAMESPACE, assignments_table_name, backup, catalog, gaps, pages_table_name, tables
from millrace.lake.archive import RecordArchive
from millrace.lake.upkeep import keep_up
from millrace.neural.continual.micro_batches import CutJournal
from millrace.registry.champion import format_champion
from millrace.registry.promotion import claim_key
from millrace.registry.registry import Registry
from millrace.registry.retention import RetentionRule, apply_retention
from millrace.registry.store import ObjectStore
from millrace.rights import CONTINUAL
from millrace.settings import settings
from millrace.workloads import find_workload
from tests.registry.enforced import ADMIN
from tests.registry.made import made
from tests.registry.servers import settings_of

LAKE, MODELS = "millrace-lake", "millrace-models"
ROOT = Path(__file__).parents[2]


@contextmanager
def enforced_s3(
    policies: dict[str, list[dict[str, Any]]], folder: Path, lake: str = LAKE, models: str = MODELS
) -> Iterator[dict[str, str]]:
    """The MILLRACE_ variables that lead to an S3 which holds each access key to its policy; both buckets exist."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.registry.enforced"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            server.stdin.write(json.dumps(policies) + "\n")
            server.stdin.flush()
            port = server.stdout.readline().strip()
            assert port, "the S3 with policies did not start"
            yield with_buckets(ADMIN, int(port), folder, lake, models)
        finally:
            server.stdin.close()
            server.wait(60)


def with_buckets(
    maker: str, port: int, folder: Path, lake: str = LAKE, models: str = MODELS, secret: str = "secret"
) -> dict[str, str]:
    """The MILLRACE_ variables that lead to an S3 and a catalog in `folder`, whose buckets `maker` has made."""
    variables = {
        "MILLRACE_S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "MILLRACE_S3_SECRET_KEY": secret,
        "MILLRACE_LAKE_BUCKET": lake,
        "MILLRACE_MODELS_BUCKET": models,
        "MILLRACE_CATALOG_JDBC": f"jdbc:sqlite:{folder}/catalog.db",
        "MILLRACE_HOME": str(folder / "home"),
    }
    with acting(maker, variables):
        for bucket in (lake, models):
            ObjectStore(bucket).ensure_bucket()
    return variables


@contextmanager
def acting(component: str, variables: dict[str, str]) -> Iterator[None]:
    """This process as one component."""
    with settings_of(variables | {"MILLRACE_S3_ACCESS_KEY": component}):
        catalog.load_catalog.cache_clear()
        try:
            yield
        finally:
            catalog.load_catalog.cache_clear()


def publish() -> str:
    """A version of courses/price that nobody has promoted."""
    versions = len(Registry().versions("courses", "price"))
    return Registry().publish(*made("courses", "price", seed=versions + 1)).version


def train() -> None:
    """Publish and promote three times, so that claims and moves happen, roll back, and lift and set the pin."""
    registry = Registry()
    registry.store.ensure_bucket()
    for _ in range(3):
        registry.promote("courses", "price", publish())
    registry.rollback("courses", "price")
    registry.unpin("courses", "price")
    registry.pin("courses", "price")
    registry.unpin("courses", "price")
    tables.load_table("courses").scan().to_arrow()
    table = catalog.load_catalog().load_table(assignments_table_name("courses"))
    table.append(rows(table))
    gaps.record_gaps(find_workload("courses"), [(1, 0, 0)], gaps.ACCEPTED)


def lose_a_race() -> None:
    """A claim that another promotion has just made."""
    registry, version = Registry(), publish()
    before = registry.champion("courses", "price")
    claim = claim_key("courses", "price", before.etag)
    registry.store.put_if_absent(claim, format_champion(version, datetime.now(UTC).isoformat(), []))
    try:
        registry.promote("courses", "price", version, before)
        raise AssertionError("a promotion passed over another's claim")
    except ConflictError:
        pass
    finally:
        registry.store.delete(claim)


def retain_versions() -> None:
    """What compaction does: a version that nobody promoted is retired, and deleted by the next run; so are claims."""
    # Of two versions of the same second their hashes decide which is the newest, and stays.
    version, now = min(publish(), publish()), datetime.now(UTC)
    rule = RetentionRule(versions=1, days=1)
    assert version in apply_retention(Registry(), "courses", "price", rule, now + timedelta(days=40)).retired
    result = apply_retention(Registry(), "courses", "price", rule, now + timedelta(days=80))
    assert version in result.deleted


def learn_continually() -> None:
    """What a continual training keeps: which offsets each micro-batch holds, and to forget it."""
    journal = CutJournal(ObjectStore(settings().models_bucket), f"{CONTINUAL}mooc/recommendations/sasrec")
    journal.put(1, {0: (0, 10)})
    assert journal.get(1) == {0: (0, 10)}
    assert journal.get(2) is None
    journal.forget()


def provision_tables() -> None:
    """Tables of two workloads, one with pages; the buckets are there."""
    assert provision.ensure_buckets([]) == []
    tables.ensure_tables([find_workload("courses"), find_workload("urls")])
    catalog.load_catalog().create_table(f"{NAMESPACE}.t{uuid.uuid4().hex}", tables.make_schema(tables.ASSIGNMENTS))


def look_after_lake() -> None:
    """The upkeep: a backup, which the next run reads, and an end to what is old."""
    assert keep_up().backup in backup.list_backups()


def look() -> None:
    """The doctor's own writes, and the tables."""
    result = {one["check"]: one for one in examine(["s3 conditional PUT", "catalog"])}
    if faults := [one["found"] for one in result.values() if not one["ok"]]:
        raise UnavailableError("; ".join(faults))
    Registry().champion("mooc", "recommendations")


def score() -> None:
    """The stream appends pages by their model."""
    Registry().champion("urls", "clusters")
    table = catalog.load_catalog().load_table(pages_table_name("urls"))
    table.append(rows(table))


def land() -> None:
    """The sink appends records."""
    table = tables.load_table("courses")
    table.append(rows(table))


def serve() -> None:
    """A champion and its arrays."""
    registry = Registry()
    champion = registry.champion("courses", "price")
    registry.load("courses", "price", champion.version)
    assert registry.champion_if_changed("courses", "price", champion.etag) is None
    assert registry.champion("courses", "nothing") is None


def recall() -> None:
    """The updater reads records that Kafka has deleted."""
    (batch,) = RecordArchive(find_workload("courses")).read({0: (0, 1)})
    assert [message.offset for message in batch.messages] == [0]


def rows(table: Any) -> pa.Table:
    """A row of a table: zeros, and texts that are empty."""
    schema = table.schema().as_arrow()
    zero = {pa.types.is_string: "", pa.types.is_large_string: "", pa.types.is_boolean: False}

    def value(kind: pa.DataType) -> Any:
        return next((text for test, text in zero.items() if test(kind)), 0)

    return pa.table([pa.array([value(field.type)]).cast(field.type) for field in schema], schema=schema)


DEEDS: dict[str, tuple[Callable[[], None], ...]] = {
    "provision": (provision_tables, look, look_after_lake),
    "connect": (land,),
    "train": (train, lose_a_race, retain_versions, learn_continually),
    "stream": (score,),
    "api": (serve,),
    "online": (serve, recall),
}
"""What each component does, in the order of a first day."""


def do(component: str) -> None:
    """All that a component does. Raises what the store's refusal makes of it."""
    for deed in DEEDS[component]:
        deed()


def first_day(variables: dict[str, str]) -> None:
    """All that all components do, each as itself."""
    for component in DEEDS:
        with acting(component, variables):
            do(component)
