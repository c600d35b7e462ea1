"""Transactions whose end Kafka has lost: found, and ended as their coordinator had decided.

Kafka 4.1 to 4.3 leave out the marker of a transaction that is ended while its partition has no leader (KAFKA-20734):
one broker that was too slow for its own heartbeat is enough. The partition then keeps the transaction open for ever,
readers of committed messages stop in front of it, and a sink of Connect lands nothing more, though it runs.
`kafka-transactions.sh` would abort such a transaction; a committed one is committed here, so that nothing is lost.
"""

import time
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import AbortTransactionSpec
from kafka.protocol.producer.transaction import WriteTxnMarkersRequest

from millrace.messaging.client import open_admin, translate_errors
from millrace.messaging.topics import CONTROL

READ_COMMITTED = (CONTROL, "__consumer_offsets")  # what Connect's sinks write in transactions
MIN_AGE_S = 10.0  # seconds; a marker is on its way for milliseconds
FORGOTTEN_STATE = "Empty"  # the state of a producer that has begun anew and written nothing
ENDED_STATES = {"CompleteCommit": True, "CompleteAbort": False, FORGOTTEN_STATE: None}


@dataclass(frozen=True)
class HangingTransaction:
    """A transaction that `partition` holds open from `offset` on, though its coordinator has ended it."""

    partition: TopicPartition
    offset: int
    producer: int
    epoch: int
    coordinator_epoch: int  # of the producer's last marker, -1 before its first; an older one would be refused
    committed: bool | None
    """None where its coordinator does not know any more: the producer has begun anew, or was forgotten."""

    def __str__(self) -> str:
        end = {True: "was committed", False: "was aborted", None: "nobody ends"}[self.committed]
        where = f"{self.partition.topic}-{self.partition.partition}"
        return f"{where} holds a transaction open from offset {self.offset} on that {end} (producer {self.producer})"


def find_hanging(age: float = MIN_AGE_S) -> list[HangingTransaction]:
    """The hanging transactions older than `age` seconds. Raises UnavailableError."""
    before = (time.time() - age) * 1000
    with translate_errors(), open_admin() as client:
        parts = [
            TopicPartition(topic["name"], entry["partition_index"])
            for topic in client.describe_topics(list(READ_COMMITTED))
            for entry in topic["partitions"]
        ]
        held = _list_open(client, parts, before)
        if not held:
            return []
        listed = client.list_transactions(producer_id_filters=[producer.producer_id for _, producer in held])
        states: dict[int, set[str]] = {}
        for entry in (entry for transactions in listed.values() for entry in transactions):
            states.setdefault(entry.producer_id, set()).add(entry.state)
        # What has ended meanwhile, or begun, was going on when it was first seen.
        still = _list_open(client, parts, before)
    return [
        HangingTransaction(
            part,
            producer.current_transaction_start_offset,
            producer.producer_id,
            producer.producer_epoch,
            producer.coordinator_epoch,
            ENDED_STATES[next(iter(state))],
        )
        for part, producer in held
        # One that goes on is ended by its coordinator, which counts its time; of two coordinators one is out of date.
        for state in [states.get(producer.producer_id, {FORGOTTEN_STATE})]
        if (part, producer) in still and state <= ENDED_STATES.keys() and len(state) == 1
    ]


def _list_open(
    client: KafkaAdminClient, parts: list[TopicPartition], before: float
) -> list[tuple[TopicPartition, Any]]:
    """The producers with a transaction open in which nothing was written since, in milliseconds since 1970."""
    return [
        (part, producer)
        for part, state in client.describe_producers(parts).items()
        for producer in state.active_producers
        if producer.current_transaction_start_offset >= 0 and producer.last_timestamp < before
    ]


def end_transaction(transaction: HangingTransaction) -> None:
    """Write the marker that was lost. Raises UnavailableError; a broker with rights wants ClusterAction for it."""
    with translate_errors(), open_admin() as client:
        spec = AbortTransactionSpec(
            transaction.partition, transaction.producer, transaction.epoch, transaction.coordinator_epoch
        )
        if transaction.committed:
            _write_commit(client, spec)
        else:
            client.abort_transaction(spec)


def _write_commit(client: KafkaAdminClient, spec: AbortTransactionSpec) -> None:
    """As kafka-python's `abort_transaction`, which is all that it offers, but for the result in the marker."""

    async def write() -> None:
        leaders = await client._async_get_leader_for_partitions([spec.topic_partition])
        request: WriteTxnMarkersRequest = client._abort_transaction_request(spec)
        request.markers[0].transaction_result = True
        response = await client._manager.send(request, node_id=next(iter(leaders)))
        client._abort_transaction_process_response(response, spec)

    client._manager.run(write)


def end_hanging(age: float = MIN_AGE_S) -> list[str]:
    """End every hanging transaction older than `age` seconds of which it is known how; one sentence each.

    Raises UnavailableError.
    """
    sentences = []
    for transaction in find_hanging(age):
        if transaction.committed is None:
            sentences.append(f"{transaction}; whether to abort it is for you to say, see docs/operations.md.")
        else:
            end_transaction(transaction)
            sentences.append(f"{transaction}; Kafka had lost its marker, which was written again.")
    return sentences
