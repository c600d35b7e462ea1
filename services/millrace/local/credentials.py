"""Logins of the one-machine stack: drawn once for a home, known to its owner and to nobody else on the machine."""

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from millrace.local.state import read_json, write_private_json
from millrace.settings import settings

CREDENTIALS_FILE = "credentials.json"
STACK_USER = "millrace"
"""The user of Kafka and of Connect's REST address."""


@dataclass(frozen=True)
class Credentials:
    """What a client needs to be let in. No text of another home's stack is among them."""

    s3_access_key: str
    s3_secret_key: str
    kafka_password: str
    connect_password: str


def load_credentials(home: Path) -> Credentials:
    """Those of the home, drawn at the first start; for S3 the user's own where the settings name them."""
    drawn = Credentials(secrets.token_hex(10), *(secrets.token_hex(20) for _ in range(3)))
    known = asdict(drawn) | read_json(home / CREDENTIALS_FILE)
    write_private_json(home / CREDENTIALS_FILE, known)
    current = settings()
    if current.s3_access_key and current.s3_secret_key:
        known |= {
            "s3_access_key": current.s3_access_key,
            "s3_secret_key": current.s3_secret_key.get_secret_value(),
        }
    return Credentials(**known)
