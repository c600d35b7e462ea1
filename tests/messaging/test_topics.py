"""Topics are made on a broker that lets nobody set what tunes them, as MSK Serverless does."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import InvalidConfigurationError

from millrace.messaging import topics
from millrace.messaging.client import common_options, open_admin
from millrace.messaging.reader import last_message
from millrace.workloads import find_workload

# docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html: "All other topic-level configuration properties
# are not configurable."
SERVERLESS = {
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
}
FOUND = replace(find_workload("urls"), name="serverless")


class Serverless:
    """The real broker, which makes the topics of a request one by one and refuses settings as MSK Serverless does."""

    def __init__(self, client: Any):
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_topics(self, wanted: dict[str, dict[str, Any]], **options: Any) -> None:
        refused = {name: set(of["configs"]) - SERVERLESS for name, of in wanted.items()}
        if taken := {name: of for name, of in wanted.items() if not refused[name]}:
            self.client.create_topics(taken, **options)
        for others in refused.values():
            if others:
                raise InvalidConfigurationError(
                    f"Amazon MSK Serverless can't alter topic configuration {sorted(others)[0]}. Only the "
                    f"topic configurations {sorted(SERVERLESS)} can be altered."
                )


@pytest.fixture
def serverless(stack: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    @contextmanager
    def refusing() -> Iterator[Serverless]:
        with open_admin() as client:
            yield Serverless(client)

    monkeypatch.setattr(topics, "open_admin", refusing)
    yield
    names = {topic.name for topic in topics.list_workload_topics(FOUND)}
    with open_admin() as client:
        client.delete_topics(sorted(names & set(client.list_topics())))


def test_topics_keep_required_settings_when_broker_rejects_the_rest(serverless: None, caplog: pytest.LogCaptureFixture):
    made = topics.ensure_topics([FOUND])
    wanted = {topic.name: topic for topic in topics.list_workload_topics(FOUND)}
    assert set(made) == set(wanted)
    (sentence,) = (record.getMessage() for record in caplog.records if record.name == topics.__name__)
    assert "min.cleanable.dirty.ratio, min.insync.replicas, segment.bytes, segment.ms" in sentence
    assert "MSK Serverless can't alter" in sentence
    with open_admin() as client:
        described = {one["name"]: len(one["partitions"]) for one in client.describe_topics(sorted(wanted))}
    assert described == {name: topic.partitions or 4 for name, topic in wanted.items()}
    assert topics.find_missing_topics([FOUND]) == []
    assert topics.ensure_topics([FOUND]) == []


def test_messages_get_broker_timestamps_even_in_topics_of_earlier_release(
    stack: object, caplog: pytest.LogCaptureFixture
):
    """Also where a producer says that it is 2099."""
    result = replace(find_workload("urls"), name="earlier")
    names = {topic.name for topic in topics.list_workload_topics(result)}
    timed = [topic for topic in topics.list_workload_topics(result) if topic.configs.get(topics.TIMESTAMP_TYPE)]
    assert result.records_topic in {topic.name for topic in timed}
    before = {
        topic.name: {
            "num_partitions": 1,
            "replication_factor": 1,
            "configs": {key: value for key, value in topic.configs.items() if key != topics.TIMESTAMP_TYPE},
        }
        for topic in timed
    }
    try:
        with open_admin() as client:
            client.create_topics(before, wait_for_metadata=True)
        assert not {topic.name for topic in timed} & set(topics.ensure_topics([result]))
        assert not [record for record in caplog.records if record.name == topics.__name__]
        begun = time.time() - 60
        message, ends = None, time.monotonic() + 30
        while message is None and time.monotonic() < ends:  # a broker takes a changed setting a moment later
            with closing(KafkaProducer(**common_options(), acks="all")) as client:
                client.send(result.records_topic, key=b"k", value=b"{}", timestamp_ms=4_102_358_400_000)
            message = last_message(result.records_topic)
        assert message is not None
        assert begun < message.timestamp / 1000 < time.time() + 60
    finally:
        with open_admin() as client:
            client.delete_topics(sorted(names & set(client.list_topics())))


def test_every_topic_retains_records_even_with_serverless_settings():
    for topic in topics.list_wanted_topics([FOUND]):
        kept = {key: value for key, value in topic.configs.items() if key.startswith(topics.CONFIGURED_PREFIXES)}
        assert set(kept) <= SERVERLESS
        assert "retention.ms" in kept or kept.get("cleanup.policy") == "compact"
