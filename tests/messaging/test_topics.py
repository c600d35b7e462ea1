"""Topics are made on a broker that lets nobody set what tunes them, as MSK Serverless does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from kafka.errors import InvalidConfigurationError

from millrace.messaging import topics
from millrace.messaging.client import admin
from millrace.workloads import workload

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
FOUND = replace(workload("urls"), name="serverless")


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
        with admin() as client:
            yield Serverless(client)

    monkeypatch.setattr(topics, "admin", refusing)
    yield
    names = {topic.name for topic in topics.workload_topics(FOUND)}
    with admin() as client:
        client.delete_topics(sorted(names & set(client.list_topics())))


def test_topics_keep_what_they_must_where_a_broker_refuses_the_rest(serverless: None):
    said: list[str] = []
    made = topics.ensure_topics([FOUND], said.append)
    wanted = {topic.name: topic for topic in topics.workload_topics(FOUND)}
    assert set(made) == set(wanted)
    (sentence,) = said
    assert "min.cleanable.dirty.ratio, min.insync.replicas, segment.bytes, segment.ms" in sentence
    assert "MSK Serverless can't alter" in sentence
    with admin() as client:
        described = {one["name"]: len(one["partitions"]) for one in client.describe_topics(sorted(wanted))}
    assert described == {name: topic.partitions or 4 for name, topic in wanted.items()}
    assert topics.missing_topics([FOUND]) == []
    assert topics.ensure_topics([FOUND], said.append) == []


def test_every_topic_keeps_its_records_also_with_what_such_a_broker_allows():
    for topic in topics.wanted_topics([FOUND]):
        kept = {key: value for key, value in topic.configs.items() if key.startswith(topics.CHOSEN)}
        assert set(kept) <= SERVERLESS
        assert "retention.ms" in kept or kept.get("cleanup.policy") == "compact"
