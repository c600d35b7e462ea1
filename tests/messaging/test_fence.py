"""Who may write to a compacted topic, and how the errors of a message are told from those of a broker."""

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, RecordListTooLargeError

from millrace.errors import ConflictError, TooLargeError, UnavailableError
from millrace.messaging.fence import Claim, Fence, FencedError, Standing, hash_value, read_published
from millrace.messaging.producer import delivery_error
from millrace.messaging.reader import Message


def message(offset: int, key: bytes, epoch: int | bytes | None, value: bytes | None = b"1") -> Message:
    header = epoch if isinstance(epoch, bytes) else str(epoch).encode()
    return Message(0, offset, 0, key, value, {} if epoch is None else {"epoch": header})


def standings(fence: Fence, *messages: Message) -> list[str]:
    return [fence.judge(one).name for one in messages]


def test_message_counts_until_a_later_claim_precedes_it():
    messages = [
        message(0, b"old", None),
        message(1, b"m/writer", None),
        message(2, b"m/a", 2),
        message(3, b"m/writer", None),
        message(4, b"m/a", 2),
        message(5, b"m/a", None),
        message(6, b"m/a", 4),
    ]
    expected = ["CURRENT", "CLAIM", "CURRENT", "CLAIM", "STALE", "STALE", "CURRENT"]
    assert standings(Fence("m"), *messages) == expected


def test_message_whose_claim_was_compacted_away_counts_and_replaces_those_before():
    assert standings(Fence(), message(4, b"a", 3), message(6, b"b", 5), message(7, b"c", 3)) == [
        "CURRENT",
        "CURRENT",
        "STALE",
    ]


@pytest.mark.parametrize("epoch", [7, 9, b"x", b"", b"-1"])
def test_epoch_of_another_topic_or_none_at_all_does_not_count(epoch):
    fence = Fence()
    fence.judge(message(2, b"writer", None))
    assert fence.judge(message(6, b"a", epoch)) is Standing.STALE


def test_claim_that_is_taken_back_ends_no_epoch():
    fence = Fence("m")
    fence.judge(message(1, b"m/writer", None))
    assert fence.judge(message(2, b"m/writer", None, None)) is Standing.STALE
    assert fence.epoch == 2


def test_keys_of_a_scope_and_the_writers_own():
    fence = Fence("m")
    assert fence.covers(b"m/v/user/writer")
    assert not fence.covers(b"mm/v/user/U")
    assert not fence.covers(None)
    assert Fence().covers(b"stream")
    assert [fence.is_control(key) for key in (b"m/writer", b"m/alive", b"m/v/user/alive", b"writer")] == [
        True,
        True,
        False,
        False,
    ]


CLAIM = Claim("t", "m", epoch=11, previous=3, read_to=9)
MARK = b"m/v/watermark"


def published(*messages: Message) -> dict[bytes, int]:
    return read_published(messages, CLAIM, b"m/v/", MARK, lambda value: value == b"whole")


def test_what_the_last_writer_published_in_whole_need_not_be_published_again():
    messages = [
        message(0, b"m/v/examined", 1, b"x"),
        message(4, b"m/v/own", 3, b"y"),
        message(5, b"m/v/stale", 1, b"z"),
        message(6, b"m/v/back", 3, None),
        message(7, MARK, 3, b"whole"),
        message(9, b"m/v/unread", 3, b"w"),
        message(12, b"m/v/mine", 11, b"v"),
        message(13, b"m/v/late", 3, b"u"),
        message(14, b"m/alive", 11, b"u"),
        message(15, b"other/v/own", 11, b"u"),
    ]
    certain = {b"m/v/examined": b"x", b"m/v/own": b"y", b"m/v/mine": b"v"}
    expected = {key: hash_value(value) for key, value in certain.items()}
    assert published(*messages) == expected | dict.fromkeys([b"m/v/stale", b"m/v/unread", b"m/v/late"], 0)


@pytest.mark.parametrize(
    "mark",
    [
        message(7, MARK, 1, b"whole"),
        message(7, MARK, 3, b"part"),
        message(7, MARK, 3, None),
        message(9, MARK, 3, b"whole"),
        message(12, MARK, 3, b"whole"),
        message(2, MARK, 1, b"whole"),
    ],
)
def test_nothing_is_certain_without_a_whole_state_of_the_last_writer(mark):
    messages = [message(0, b"m/v/a", 1, b"x"), message(6, b"m/v/back", 3, None), mark]
    assert published(*messages) == {b"m/v/a": 0, b"m/v/back": 0}


def test_being_fenced_is_a_conflict():
    assert FencedError("x").exit_code == ConflictError.exit_code


@pytest.mark.parametrize("error", [MessageSizeTooLargeError("x"), RecordListTooLargeError("x"), "MSG_SIZE_TOO_LARGE"])
def test_message_refused_for_its_size_is_no_broker_that_is_away(error):
    refused = delivery_error(error)
    assert isinstance(refused, TooLargeError)
    assert "4,000,000 bytes" in refused.message
    assert isinstance(delivery_error(KafkaTimeoutError("x")), UnavailableError)
