"""A broker of a test's own."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.local import java, kafka, ports
from millrace.local.child import last_words, start_child
from millrace.local.credentials import STACK_USER

PASSWORD = "of this test"


@dataclass(frozen=True)
class Broker:
    """Where it listens, and how it lets a client in."""

    address: str

    @property
    def login(self) -> dict[str, Any]:
        """Options of kafka-python's clients."""
        return {
            "bootstrap_servers": self.address,
            "security_protocol": kafka.PROTOCOL,
            "sasl_mechanism": kafka.MECHANISM,
            "sasl_plain_username": STACK_USER,
            "sasl_plain_password": PASSWORD,
        }

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which Millrace finds it."""
        return {
            "MILLRACE_KAFKA_BOOTSTRAP": self.address,
            "MILLRACE_KAFKA_SECURITY_PROTOCOL": kafka.PROTOCOL,
            "MILLRACE_KAFKA_SASL_MECHANISM": kafka.MECHANISM,
            "MILLRACE_KAFKA_USERNAME": STACK_USER,
            "MILLRACE_KAFKA_PASSWORD": PASSWORD,
        }


@contextmanager
def broker(home: Path) -> Iterator[Broker]:
    """A broker over the home's data on ports that it never had; killed with -9 at the end."""
    port = ports.find_free_port()
    child = kafka.make_kafka(home, java.find_java(), port, ports.find_free_port([port]), PASSWORD)
    process = start_child(child, home / "logs/kafka.log", os.environ)
    try:
        deadline = time.monotonic() + 90
        while not child.ready():
            assert process.poll() is None, last_words(home / "logs/kafka.log")
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Broker(f"127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
