"""Every topic of the platform: its name, what it keeps and for how long."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidConfigurationError, PolicyViolationError

from millrace.errors import UnavailableError
from millrace.messaging.client import open_admin, open_consumer, translate_errors
from millrace.settings import settings
from millrace.workloads.base import Workload

log = logging.getLogger(__name__)
DAY_MS = 86_400_000
MAX_MESSAGE_BYTES = 4_000_000
DELETE_TIMEOUT_S = 30.0
CONTROL = "lake.control"
RECEIPTS = "ingest.receipts"
DEAD_LETTERS = "connect.rejected"
CONTROL_RETENTION_MS = 30 * DAY_MS
"""Rows that a sink has announced and not committed when it was stopped are lost with their announcement. The brokers
keep the offsets of its groups as long (`offsets.retention.minutes`)."""
EARLIER_SETTINGS = {CONTROL: {"retention.ms": str(7 * DAY_MS)}}
"""What earlier releases have made a topic with, and is no longer enough. Where somebody has set another, it stays."""

CONFIGURED_PREFIXES = ("cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.", "retention.")
"""Settings by which a topic keeps what it must, by how they begin; all others tune it. Of a topic, a broker that is run
for you, such as MSK Serverless, lets nobody set anything else."""


TIMESTAMP_TYPE = "message.timestamp.type"
BROKER_CLOCK = {TIMESTAMP_TYPE: "LogAppendTime"}
"""A message's timestamp is when the broker wrote it. A producer's clock decides neither the order of records, nor how
long they are kept, nor which of their times can be believed (see millrace.records.times)."""


@dataclass(frozen=True)
class Topic:
    """`partitions` of 0 means the setting `kafka_partitions`."""

    name: str
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)


def list_shared_topics() -> list[Topic]:
    """Topics that belong to no workload."""
    return [
        # Connect's sinks agree on their commits here; it must exist before the first of them starts.
        # Every event carries its Avro schema: compressed, a month takes as much as a week did.
        Topic(CONTROL, 1, {"retention.ms": str(CONTROL_RETENTION_MS), "compression.type": "zstd"}),
        Topic(RECEIPTS, 1, {"cleanup.policy": "compact"}),
        Topic(DEAD_LETTERS, 1, {"retention.ms": str(30 * DAY_MS)}),
    ]


def list_workload_topics(workload: Workload) -> list[Topic]:
    """The topics of one workload."""
    topics = [
        # The lake is the archive, from which older records are read (see millrace.lake.archive).
        Topic(
            workload.records_topic,
            0,
            {
                "retention.ms": str(settings().kafka_retention_days * DAY_MS),
                "max.message.bytes": str(MAX_MESSAGE_BYTES),
            }
            | BROKER_CLOCK,
        ),
        # Compacted by record id: a replayed or repeated row leaves one entry, a resolved one leaves none.
        Topic(
            workload.rejected_topic,
            1,
            {"cleanup.policy": "compact", "max.message.bytes": str(MAX_MESSAGE_BYTES)},
        ),
    ]
    if workload.live:
        # What follows the stream publishes state here, whole values by key; one partition keeps their order.
        topics.append(
            Topic(
                workload.deltas_topic,
                1,
                {
                    "cleanup.policy": "compact",
                    "max.message.bytes": str(MAX_MESSAGE_BYTES),
                    # A reader starts with the whole topic: what later messages of a key have replaced shall go soon.
                    "segment.ms": str(DAY_MS // 24),
                    "segment.bytes": str(64 << 20),
                    "min.cleanable.dirty.ratio": "0.2",
                }
                | BROKER_CLOCK,
            )
        )
    # Each holds the pages of one cluster; the lake keeps them too.
    return topics + [Topic(name, 0, {"retention.ms": str(DAY_MS)} | BROKER_CLOCK) for name in workload.cluster_topics]


def list_wanted_topics(workloads: Iterable[Workload]) -> list[Topic]:
    """The shared topics and those of the workloads."""
    return list_shared_topics() + [topic for workload in workloads for topic in list_workload_topics(workload)]


def find_missing_topics(workloads: Iterable[Workload]) -> list[str]:
    """Names of topics that the platform needs and the broker does not have."""
    with translate_errors(), open_admin() as client:
        present = set(client.list_topics())
    return sorted(topic.name for topic in list_wanted_topics(workloads) if topic.name not in present)


def ensure_topics(workloads: Iterable[Workload]) -> list[str]:
    """Create what is missing and return its names. Of existing topics only what earlier releases set otherwise is set.

    Logs a warning for settings that the broker does not let us set.
    """
    current = settings()
    missing = set(find_missing_topics(workloads := list(workloads)))
    _update_settings([topic for topic in list_wanted_topics(workloads) if topic.name not in missing])
    wanted = {
        topic.name: {
            "num_partitions": topic.partitions or current.kafka_partitions,
            "replication_factor": current.kafka_replication,
            "configs": topic.configs | {"min.insync.replicas": str(max(1, current.kafka_replication - 1))},
        }
        for topic in list_wanted_topics(workloads)
        if topic.name in missing
    }
    if wanted:
        with translate_errors(), open_admin() as client:
            _create(client, wanted)
    return sorted(wanted)


def delete_topic(name: str) -> None:
    """Delete a topic with all that it holds, and wait until it is gone. Raises UnavailableError after DELETE_TIMEOUT_S.

    A topic that is made anew under the name is another one: its offsets begin at 0.
    """
    deadline = time.monotonic() + DELETE_TIMEOUT_S
    with translate_errors(), open_admin() as client:
        client.delete_topics([name])
        while name in client.list_topics():
            if time.monotonic() > deadline:
                raise UnavailableError(f"Kafka still lists {name}, {DELETE_TIMEOUT_S:g} s after it was deleted.")
            time.sleep(0.1)


def _update_settings(topics: Iterable[Topic]) -> None:
    """Give topics that an earlier release has made the broker's clock from here on, and what EARLIER_SETTINGS names."""
    wanted = {
        topic.name: BROKER_CLOCK if TIMESTAMP_TYPE in topic.configs else topic.configs
        for topic in topics
        if TIMESTAMP_TYPE in topic.configs or topic.name in EARLIER_SETTINGS
    }
    if not wanted:
        return
    with translate_errors(), open_admin() as client:
        described = [ConfigResource(ConfigResourceType.TOPIC, name, list(configs)) for name, configs in wanted.items()]
        present = client.describe_configs(described, config_filter="all").get("topic", {})
        changes = {
            name: dict(wanted[name])
            for name, configs in present.items()
            if _is_outdated(name, {key: config["value"] for key, config in configs.items()})
        }
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, configs) for name, configs in changes.items()]
        answers = client.alter_configs(resources, raise_on_unknown=False).get("topic", {}) if resources else {}
    for name, answer in answers.items():
        if answer != "OK":
            settings_text = ", ".join(f"{key}={value}" for key, value in changes[name].items())
            log.warning("%s keeps the settings of an earlier release: %s. Set %s.", name, answer, settings_text)


def _is_outdated(name: str, present: dict[str, str]) -> bool:
    """Whether an existing topic is as an earlier release has made it."""
    if name in EARLIER_SETTINGS:
        return EARLIER_SETTINGS[name].items() <= present.items()
    return present.get(TIMESTAMP_TYPE, BROKER_CLOCK[TIMESTAMP_TYPE]) != BROKER_CLOCK[TIMESTAMP_TYPE]


def _create(client: KafkaAdminClient, wanted: dict[str, dict[str, Any]]) -> None:
    """With all settings; where the broker refuses some, with those that a topic can't do without."""
    try:
        client.create_topics(wanted, wait_for_metadata=True)
        return
    except (InvalidConfigurationError, PolicyViolationError) as error:
        refused = str(error)
    # Topics are made one by one: those before the one that was refused are there.
    left = {name: of for name, of in wanted.items() if name not in set(client.list_topics())}
    needed = {
        name: of
        | {"configs": {key: value for key, value in of["configs"].items() if key.startswith(CONFIGURED_PREFIXES)}}
        for name, of in left.items()
    }
    client.create_topics(needed, wait_for_metadata=True)
    dropped = {key for of in left.values() for key in of["configs"] if not key.startswith(CONFIGURED_PREFIXES)}
    log.warning("The broker lets nobody set %s; topics were made without: %s", ", ".join(sorted(dropped)), refused)


def describe_topics(workloads: Iterable[Workload]) -> list[dict[str, Any]]:
    """[{"topic", "partitions" (0: it is missing), "messages", "keeps"}] of the topics of workloads.

    `messages` is what the offsets span; a compacted topic holds fewer.
    """
    descriptions = []
    with translate_errors(), open_consumer() as client:
        for topic in (topic for workload in workloads for topic in list_workload_topics(workload)):
            parts = [TopicPartition(topic.name, number) for number in client.partitions_for_topic(topic.name) or ()]
            begins, ends = client.beginning_offsets(parts), client.end_offsets(parts)
            days = int(topic.configs.get("retention.ms", 0)) // DAY_MS
            descriptions.append(
                {
                    "topic": topic.name,
                    "partitions": len(parts),
                    "messages": sum(ends[part] - begins[part] for part in parts),
                    "keeps": f"{days} d" if days else "the newest of each key",
                }
            )
    return descriptions
