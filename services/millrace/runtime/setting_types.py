"""Types of settings on which safety hangs: not set is one thing, set to nothing is a fault.

A secret that came out empty, or a list of one comma, must not leave open what somebody meant to close.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

from millrace.runtime.hosts import parse_host, parse_origin

LOGINS = (
    ("kafka_password", "kafka_username"),
    ("connect_password", "connect_user"),
    ("catalog_password", "catalog_user"),
    ("s3_secret_key", "s3_access_key"),
    ("s3_access_key", "s3_secret_key"),
)
"""(setting, the other that it is worth nothing without): half a login would be passed over for another identity."""


def find_half_login(values: Mapping[str, object]) -> tuple[str, str] | None:
    """(setting that is set, setting that it lacks) of a login of which only half is given; None where all are whole."""
    for present, missing in LOGINS:
        if values[present] is not None and values[missing] is None:
            return present, missing
    return None


def list_parts(text: str) -> list[str]:
    """The parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _refuse_blank(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and not text.strip():
        raise ValueError("it is set and holds nothing; allowed: a value, or not to set it")
    return value


def _refuse_no_keys(keys: SecretStr) -> SecretStr:
    if not list_parts(keys.get_secret_value()):
        raise ValueError("it is set and holds no key; allowed: comma-separated keys, or not to set it")
    return keys


def _find_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("there is no such file; allowed: a PEM file, or not to set it for the system's authorities")
    return path


def _check_origins(text: str) -> str:
    parts = list_parts(text)
    if (text and not parts) or not all(map(parse_origin, parts)):
        raise ValueError(
            "allowed: comma-separated origins such as https://shop.example or http://localhost:3000, each named; "
            "empty is none"
        )
    return ",".join(parts).lower()


def _check_hosts(text: str) -> str:
    parts = list_parts(text)
    if (text and not parts) or not all(parse_host(part.removeprefix("*.")) and ":" not in part for part in parts):
        raise ValueError(
            "allowed: comma-separated names such as api.example.com, without scheme or port, or *.example.com; empty"
        )
    return text


def _check_networks(text: str) -> str:
    parts = list_parts(text)
    try:
        networks = [str(ipaddress.ip_network(part)) for part in parts]
    except ValueError:
        networks = []
    if (text or parts) and not networks:
        raise ValueError("allowed: comma-separated addresses or networks such as 10.0.0.7 or 10.42.0.0/16; empty")
    return ",".join(networks)


Given = Annotated[str, BeforeValidator(_refuse_blank)]
"""Text that is not blank: an address to listen on, the name of a user."""
Secret = Annotated[SecretStr, BeforeValidator(_refuse_blank)]
"""A password that is not blank."""
Keys = Annotated[SecretStr, AfterValidator(_refuse_no_keys)]
"""Comma-separated keys, at least one."""
File = Annotated[Path, BeforeValidator(_refuse_blank), AfterValidator(_find_file)]
"""A file that is there."""
Origins = Annotated[str, AfterValidator(_check_origins)]
"""Comma-separated origins of the web, or empty."""
Hosts = Annotated[str, AfterValidator(_check_hosts)]
"""Comma-separated names of hosts, or empty."""
Networks = Annotated[str, AfterValidator(_check_networks)]
"""Comma-separated addresses or networks, or empty."""
