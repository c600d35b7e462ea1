"""A position is (topic id, partition, offset): a topic that was recreated begins again at offset 0, with another id.

What is kept longer than Kafka numbers the ids that a topic has had: its generations, 0 for the first.
"""

from dataclasses import dataclass

import orjson

from millrace.messaging.client import open_admin, translate_errors

UNKNOWN_ID = ""
"""Of a topic that was read by a release, or on a broker, that knew of no topic ids."""
NO_IDS = {"", "None", "00000000-0000-0000-0000-000000000000"}


def fetch_topic_id(topic: str) -> str | None:
    """The id that Kafka gave to a topic when it was made; None where the brokers give none (before Kafka 2.8).

    Raises UnavailableError.
    """
    with translate_errors(), open_admin() as client:
        (described,) = client.describe_topics([topic])
    topic_id = str(described.get("topic_id"))
    return None if topic_id in NO_IDS else topic_id


@dataclass(frozen=True)
class Generations:
    """The ids that a topic has had, the first at first; `current` is the number of the one that is read."""

    topic_ids: tuple[str, ...] = ()
    current: int = 0

    def enter(self, topic_id: str | None, is_shorter: bool) -> "Generations":
        """These after a look at the topic: the same, back in an earlier one, or with one more.

        `is_shorter` says that the topic ends before what was read of it. Where no id was ever noted, that alone shows
        that the topic is another one; with an id, the same topic has lost records, which is for the caller to say.
        """
        if topic_id is None:
            return self
        if topic_id in self.topic_ids:
            return Generations(self.topic_ids, self.topic_ids.index(topic_id))
        known = self.topic_ids or ((UNKNOWN_ID,) if is_shorter else ())
        return Generations((*known, topic_id), len(known))

    def as_json(self) -> str:
        return orjson.dumps({"topic_ids": self.topic_ids, "current": self.current}).decode()


def parse_generations(text: str | None) -> Generations:
    """The generations in `as_json`; of nothing, those of a topic that no id was noted of."""
    if not text:
        return Generations()
    body = orjson.loads(text)
    return Generations(tuple(body["topic_ids"]), body["current"])
