"""What every child needs before the first one starts: ports, credentials, addresses, configuration files."""

from collections.abc import Callable
from pathlib import Path

from millrace.local import api, connect, java, kafka, online, ports, s3, state
from millrace.local.child import Child
from millrace.settings import settings


def choose_ports(home: Path, say: Callable[[str], None]) -> dict[str, int]:
    """A port for each child, last time's where it is free; those the user insists on are given away first."""
    before = state.read(home / "ports.json")
    chosen: dict[str, int] = {}
    for name in sorted(ports.DEFAULTS, key=lambda name: ports.insisted(name) is None):
        host = settings().api_host if name == "api" else "127.0.0.1"
        chosen[name], note = ports.choose(name, before.get(name), chosen.values(), host)
        if note:
            say(note)
    state.write_private(home / "ports.json", chosen)
    return chosen


def configure(home: Path, say: Callable[[str], None]) -> list[Child]:
    """Write addresses and configuration below `home`; the children in the order in which they start.

    `say` gets a sentence for every port that is not the usual one. Raises MillraceError with the one cause.
    """
    found = java.find()
    chosen = choose_ports(home, say)
    key, secret = state.credentials()
    endpoints = {
        "kafka_bootstrap": f"127.0.0.1:{chosen['kafka']}",
        "connect_url": f"http://127.0.0.1:{chosen['connect']}",
        "s3_endpoint": f"http://127.0.0.1:{chosen['s3']}",
        "s3_access_key": key,
        "s3_secret_key": secret,
        "catalog_jdbc": f"jdbc:sqlite:{home / 'catalog.db'}",
        "api_port": chosen["api"],
    }
    state.write_private(state.endpoints_file(), endpoints)
    settings.cache_clear()  # it now reads the addresses and credentials written above
    # As `lake.catalog.java_secrets` gives them, without its two seconds of imports.
    secrets = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": settings().s3_region}
    return [
        kafka.prepare(home, found, chosen["kafka"], chosen["kafka_controller"]),
        s3.prepare(home, found, chosen["s3"], key, secret),
        connect.prepare(home, found, chosen["connect"], chosen["kafka"], secrets),
        api.prepare(chosen["api"]),
        online.prepare(),
    ]
