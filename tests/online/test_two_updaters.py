"""Two real updaters of one model, one of which is paused with a batch on its way."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from millrace.messaging.fence import read_epoch
from millrace.messaging.reader import Message, read_all
from tests.online.live_api import (
    answers,
    as_replayed,
    caught_up,
    child,
    current_claim,
    enrolment,
    every,
    kill,
    post,
    until,
    workers,
)
from tests.online.test_live import item_ids

USER = "paused-user"
# `millrace online`, but that the process stops itself once, before it has sent what it has for the user.
STOPPING = f"""
import os, signal
from millrace.cli import main
from millrace.messaging import producer
send, stopped = producer.KafkaPythonProducer.send, []
def send_or_stop(self, topic, key, value, headers=()):
    send(self, topic, key, value, headers)
    if b"/user/{USER}" in key and not stopped:
        stopped.append(key)
        os.kill(os.getpid(), signal.SIGSTOP)
producer.KafkaPythonProducer.send = send_or_stop
main()
"""


@pytest.fixture
def second_updater(champion) -> Iterator[psutil.Process]:
    """One that publishes; that of the stack stands by."""
    first, before = child("online")["pid"], current_claim().epoch
    process = subprocess.Popen([sys.executable, "-c", STOPPING, "online"])
    try:
        os.kill(first, signal.SIGSTOP)
        until(lambda: current_claim().epoch > before, "the second updater takes over")
        os.kill(first, signal.SIGCONT)
        yield psutil.Process(process.pid)
    finally:
        os.kill(first, signal.SIGCONT)
        process.kill()
        process.wait()


def newest(suffix: str) -> Message:
    """The newest message whose key ends like this."""
    return [message for message in read_all("mooc.deltas") if message.key and message.key.endswith(suffix.encode())][-1]


@pytest.mark.thorough
def test_batch_of_a_paused_updater_changes_no_answer_wherever_it_lands(champion, second_updater):
    manifest, arrays = champion
    courses = item_ids(arrays)
    until(every(caught_up), "the second updater publishes")
    epoch = current_claim().epoch
    post(enrolment(USER, courses[3]))
    until(lambda: second_updater.status() == psutil.STATUS_STOPPED, "it is paused with a batch on its way")
    until(lambda: current_claim().epoch > epoch, "the first updater takes over")
    post(enrolment(USER, courses[7]))
    as_replayed(manifest, arrays, [USER])
    offset = newest(f"/user/{USER}").offset
    second_updater.resume()
    until(lambda: newest(f"/user/{USER}").offset > offset, "the batch arrives, or was published again by then")
    until(lambda: read_epoch(newest(f"/user/{USER}")) == current_claim().epoch, "the key is published again")
    as_replayed(manifest, arrays, [USER])
    assert len({tuple(one) for one in answers(USER)}) == 1
    old = workers()[0]
    kill(old)
    until(lambda: len(set(workers()) - {old}) >= 2, "another API process reads the topic from its beginning")
    as_replayed(manifest, arrays, [USER])
    restarts = child("online")["restarts"]
    kill(child("online")["pid"])
    until(lambda: child("online")["restarts"] > restarts, "the updater is started again")
    post(enrolment(USER, courses[9]))
    as_replayed(manifest, arrays, [USER])
