"""What every child needs before the first one starts: ports, credentials, addresses, configuration files."""

import os
from collections.abc import Mapping
from pathlib import Path

from millrace.local import api, connect, credentials, java, kafka, online, ports, s3, state, stream
from millrace.local.child import Child
from millrace.runtime.ports import LOOPBACK, find_free_port
from millrace.runtime.sqlite import to_jdbc
from millrace.settings import read_explicit, settings
from millrace.workloads import load_workloads

NO_PROFILE = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""Whoever runs the stack may have profiles for AWS itself; here they name nothing."""

NO_FRONTS: Mapping[str, int] = {}


def choose_ports(home: Path, fronted: bool = False) -> tuple[dict[str, int], list[str]]:
    """A port for each child, last time's where it is free, and a sentence for each that is not the usual one.

    Those the user insists on are given away first. With `fronted`, also one for Kafka's listener behind a front.
    """
    before = state.read_json(home / "ports.json")
    chosen: dict[str, int] = {}
    notes: list[str] = []
    for name in sorted(ports.DEFAULTS, key=lambda name: ports.requested_port(name) is None):
        host = settings().api_host if name == "api" else LOOPBACK
        chosen[name], note = ports.choose_port(name, before.get(name), chosen.values(), host)
        if note:
            notes.append(note)
    if fronted:
        chosen["kafka_fronted"] = find_free_port(chosen.values())
    state.write_private_json(home / "ports.json", chosen)
    return chosen, notes


def configure(home: Path, fronts: Mapping[str, int] = NO_FRONTS) -> tuple[list[Child], list[str]]:
    """Write addresses and configuration below `home`; the children in the order in which they start.

    Also a sentence for every port that is not the usual one. `fronts` are those of StackOverrides. Raises MillraceError
    with the one cause.
    """
    program = java.find_java()
    chosen, notes = choose_ports(home, "kafka" in fronts)
    logins = credentials.load_credentials(home)
    endpoints = {
        "kafka_bootstrap": read_explicit("kafka_bootstrap") or f"127.0.0.1:{fronts.get('kafka', chosen['kafka'])}",
        "kafka_security_protocol": kafka.PROTOCOL,
        "kafka_sasl_mechanism": kafka.MECHANISM,
        "kafka_username": credentials.STACK_USER,
        "kafka_password": logins.kafka_password,
        "connect_url": read_explicit("connect_url") or f"http://127.0.0.1:{chosen['connect']}",
        "connect_user": credentials.STACK_USER,
        "connect_password": logins.connect_password,
        "s3_endpoint": read_explicit("s3_endpoint") or f"http://127.0.0.1:{fronts.get('s3', chosen['s3'])}",
        "s3_access_key": logins.s3_access_key,
        "s3_secret_key": logins.s3_secret_key,
        "catalog_jdbc": to_jdbc(home / "catalog.db"),
        "api_port": chosen["api"],
    }
    state.write_private_json(state.endpoints_file(), endpoints)
    settings.cache_clear()  # it now reads the addresses and credentials written above
    # As `lake.catalog.java_secrets` gives them, without its two seconds of imports.
    secrets = {
        "AWS_ACCESS_KEY_ID": logins.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": logins.s3_secret_key,
        "AWS_REGION": settings().s3_region,
        **NO_PROFILE,
    }
    front = kafka.Front(chosen["kafka_fronted"], fronts["kafka"]) if "kafka" in fronts else None
    children = [
        kafka.make_kafka(home, program, chosen["kafka"], chosen["kafka_controller"], logins.kafka_password, front),
        s3.make_s3(home, program, chosen["s3"], logins.s3_access_key, logins.s3_secret_key),
        connect.make_connect(home, program, chosen["connect"], fronts.get("kafka", chosen["kafka"]), logins, secrets),
        api.make_api(chosen["api"]),
        online.make_updater(),
    ]
    if settings().local_live:
        children += [stream.make_stream(one.name, chosen["stream"]) for one in load_workloads().values() if one.pages][
            :1
        ]
    return children, notes
