"""The stack that a run is against: started with proxies before Kafka and S3, trained once, and removed at the end."""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from millrace.lake.catalog import load_catalog
from millrace.lake.progress import wait_until_landed
from millrace.lake.tables import load_table
from millrace.local import jars, stack, state
from millrace.local.overrides import StackOverrides
from millrace.messaging.reader import end_offsets
from millrace.messaging.topics import delete_topic, ensure_topics
from millrace.prove.commands import Commands
from millrace.prove.faults.clock import NEEDED_BY, OffsetClocks, find_library
from millrace.prove.faults.disk import SmallDisks
from millrace.prove.faults.kinds import PROXIED, Need
from millrace.prove.faults.processes import list_workers
from millrace.prove.faults.proxy import Proxy
from millrace.prove.history import Json
from millrace.prove.lake_model import LakeRow
from millrace.provision import provision
from millrace.records.writer import write_csv
from millrace.registry.manifest import ManifestDraft
from millrace.registry.registry import Registry
from millrace.runtime.ports import find_free_port
from millrace.settings import settings
from millrace.workloads import find_workload, load_workloads

WORKLOAD, MODEL = "mooc", "recommendations"
BASE_ROWS, BASE_SEED = 1500, 61
"""Enrolments that the first champion is trained on: enough for transitions to be learnt from."""
TRAIN_TIMEOUT_S, INGEST_TIMEOUT_S = 900.0, 600.0
SHOWN_JARS = ("kafka_", "iceberg-kafka-connect-1", "s3proxy-", "spark-core_")
"""How the jars begin whose versions a certificate names."""
FOLDER = "prove"
"""Below the home: what is ingested, logs of commands, clocks."""


class OwnStack:
    """A running stack with its levers. `skipped` says, by need, what can't be done on this machine and why."""

    def __init__(self, home: Path, proxies: dict[str, Proxy], disks: SmallDisks, clocks: OffsetClocks | None):
        self.home, self.proxies, self.disks, self.clocks = home, proxies, disks, clocks
        self.commands = Commands(home / FOLDER)
        self.skipped: dict[Need, str] = {}
        self._workload = find_workload(WORKLOAD)
        self._before_recreation = 0
        """Rows of the lake that the records topic no longer counts."""
        self._base: set[LakeRow] = set()

    def prepare(self) -> None:
        """Topics, tables and sinks; base records ingested, landed and trained on. Raises MillraceError."""
        provision()
        file = self.home / FOLDER / "base.csv"
        rows = self._workload.generate(random.Random(BASE_SEED), BASE_ROWS)
        write_csv(file, self._workload.fields, rows)
        self.commands.run("ingest", WORKLOAD, str(file), "--json", timeout_s=INGEST_TIMEOUT_S)
        self.wait_landed()
        self.train()
        self._base = set(self.read_rows())

    def train(self) -> None:
        """A training of the workload, whose version is promoted where the gate lets it."""
        self.commands.run("train", WORKLOAD, "--json", timeout_s=TRAIN_TIMEOUT_S)

    @property
    def champion(self) -> str:
        """The version that champion.json names."""
        return Registry().require_champion(WORKLOAD, MODEL).version

    def list_items(self) -> list[str]:
        """Ids of the items that the champion knows, which clients take."""
        return sorted({row.item for row in self.read_rows(since_start=False)})

    def publish_copy(self, number: int) -> str:
        """A second version of the champion, published and not yet promoted."""
        registry = Registry()
        manifest, arrays = registry.load(WORKLOAD, MODEL, self.champion)
        draft = ManifestDraft.model_validate(manifest.model_dump(include=set(ManifestDraft.model_fields)))
        copy = draft.model_copy(update={"code_version": f"{manifest.code_version}+prove.{number}"})
        return registry.publish(copy, arrays).version

    def promote(self, version: str) -> None:
        """Make it the champion. Raises MillraceError."""
        Registry().promote(WORKLOAD, MODEL, version)

    def wait_landed(self) -> None:
        """Wait for the sink. Raises UnavailableError where it stands still."""
        wait_until_landed(self._workload)

    def count_unlanded(self) -> int:
        """Records of the topic that the lake does not hold yet."""
        published = sum(end_offsets(self._workload.records_topic).values())
        return published + self._before_recreation - len(self.read_rows(since_start=False))

    def recreate_records(self) -> None:
        """Delete the records topic and make it anew: offsets begin at 0 again."""
        self._before_recreation = len(self.read_rows(since_start=False))
        delete_topic(self._workload.records_topic)
        ensure_topics(load_workloads().values())

    def read_rows(self, snapshot_id: str | None = None, since_start: bool = True) -> list[LakeRow]:
        """Rows of the lake, of its newest snapshot or another; `since_start`: without those of the base."""
        columns = ("record_id", "kafka_partition", "kafka_offset", "user_id", "course_id", "enrolled_at")
        scan = load_table(WORKLOAD).scan(selected_fields=columns, snapshot_id=int(snapshot_id) if snapshot_id else None)
        rows = (make_row(values) for values in scan.to_arrow().to_pylist())
        return [row for row in rows if not since_start or row not in self._base]

    def read_fresh_rows(self) -> list[LakeRow]:
        """Rows whose events the champion's snapshot lacks."""
        registry = Registry()
        trained = registry.manifest(WORKLOAD, MODEL, self.champion).data.snapshot_id
        known = {row.identity for row in self.read_rows(trained, since_start=False)}
        return [row for row in self.read_rows() if row.identity not in known]

    def is_running(self) -> bool:
        """Whether the supervisor has all its children, and the API all its workers."""
        children = state.read_json(state.state_file()).get("children", {}).values()
        alive = all(
            child["state"] == "running" and state.find_process(child["pid"], child["started_at"]) for child in children
        )
        return alive and len(list_workers()) == settings().api_workers

    def describe_versions(self) -> dict[str, str]:
        """What ran."""
        manifest = Registry().manifest(WORKLOAD, MODEL, self.champion)
        engines = [file.stem for bundle in stack.BUNDLES for file in jars.jar_files(bundle)]
        engines = [name for name in engines if name.startswith(SHOWN_JARS)]
        return {"champion": manifest.version, "code": manifest.code_version, "engines": ", ".join(sorted(engines))}


def make_row(values: dict[str, Json]) -> LakeRow:
    """A row as the model sees it; its time in UTC with microseconds, so that texts sort as times do."""
    at: datetime | None = values["enrolled_at"]
    return LakeRow(
        values["record_id"],
        values["kafka_partition"],
        values["kafka_offset"],
        values["user_id"],
        values["course_id"],
        at.astimezone(UTC).isoformat(timespec="microseconds") if at else None,
    )


@contextmanager
def start_own_stack(home: Path, wanted: Sequence[Need]) -> Iterator[OwnStack]:
    """A stack in `home`, which is empty; all of it is stopped at the end. Raises MillraceError where it can't start.

    `wanted` are the needs of the schedule's faults: nothing is mounted or preloaded for others.
    """
    # A process that shrinks a schedule has one stack after another.
    load_catalog.cache_clear()
    (home / FOLDER).mkdir(mode=0o700)
    skipped: dict[Need, str] = {}
    disks, library = SmallDisks(home), find_library()
    with ExitStack() as cleaning:
        cleaning.callback(disks.unmount)
        if "mount" in wanted and (fault := disks.mount()):
            skipped["mount"] = fault
        clocks = OffsetClocks(home / FOLDER, library) if library and "faketime" in wanted else None
        if library is None and "faketime" in wanted:
            skipped["faketime"] = "libfaketime is not installed"
        proxies = {name: Proxy(find_free_port(), partial(read_port, home, name)) for name in PROXIED}
        for proxy in proxies.values():
            cleaning.callback(proxy.stop)
            proxy.start()
        own = OwnStack(home, proxies, disks, clocks)
        own.skipped = skipped
        environment = {child: clocks.make_environment(child) for child in NEEDED_BY} if clocks else {}
        fronts = {name: proxy.port for name, proxy in proxies.items()}
        cleaning.callback(stack.stop_stack)
        cleaning.callback(own.commands.stop)
        stack.start_stack(overrides=StackOverrides(fronts, environment))
        yield own


def read_port(home: Path, name: str) -> int:
    """Where the stack's own server listens behind its front. Raises OSError while it is not known."""
    chosen = state.read_json(home / "ports.json")
    port = chosen.get("kafka_fronted" if name == "kafka" else name)
    if port is None:
        raise ConnectionRefusedError(f"{name} has not started yet")
    return port
