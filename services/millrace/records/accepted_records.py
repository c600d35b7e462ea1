"""Accepted records as the messages that they are published as."""

from typing import Any, NamedTuple


class AcceptedRecord(NamedTuple):
    """A record ready to publish: its Kafka key and its JSON with `record_id`."""

    key: bytes
    value: bytes


def make_message(record: dict[str, Any], key_field: str, content: bytes, record_id: str) -> AcceptedRecord:
    """The message of a checked record; `content` is its JSON."""
    key = str(record[key_field]).encode()
    return AcceptedRecord(key, b'%s,"record_id":"%s"}' % (content[:-1], record_id.encode()))
