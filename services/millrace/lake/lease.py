"""One process at a time: a lock beside the catalog, which the end of its holder gives back, also by kill -9."""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from millrace.errors import ConflictError, UnavailableError
from millrace.lake.catalog import sql_uri
from millrace.runtime.sqlite import to_file
from millrace.settings import require_address

ACQUIRE_TIMEOUT_S = 45.0  # seconds for a holder to end; Postgres sees within 30 that the machine of one is gone
RETRY_DELAY_S = 0.5  # seconds between two tries
KEEPALIVE = {"idle": 15, "interval": 5, "count": 3}
"""Postgres' tcp_keepalives_*: the session of a machine that is gone ends after 30 seconds, not after two hours."""
Check = Callable[[], None]


@contextmanager
def hold_lease(
    name: str, what: str, going: Callable[[], bool] = lambda: True, patience: float = ACQUIRE_TIMEOUT_S
) -> Iterator[Check]:
    """Hold the lock `name` for a while; gives a function that raises UnavailableError where it was lost.

    Raises ConflictError that says `what` when another process keeps it for `patience` seconds, or until `going` says
    no; UnavailableError where the catalog's database is away.
    """
    database = to_file(require_address("catalog_jdbc"))
    holding = _file_lease(database, name) if database else _session_lease(name)
    too_late = stop_after_delay(patience)
    with holding as (take, check):
        retrying = Retrying(
            retry=retry_if_not_result(bool),
            wait=wait_fixed(RETRY_DELAY_S),
            stop=lambda state: too_late(state) or not going(),
            retry_error_callback=lambda state: False,
        )
        if not retrying(take):
            raise ConflictError(what, code="held")
        yield check


@contextmanager
def _file_lease(database: Path, name: str) -> Iterator[tuple[Callable[[], bool], Check]]:
    """A catalog in a file is one machine's: a lock on a file beside it, which the kernel keeps."""
    with database.with_name(f"{database.name}.{name}.lock").open("w") as file:

        def take() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        yield take, lambda: None


@contextmanager
def _session_lease(name: str) -> Iterator[tuple[Callable[[], bool], Check]]:
    """An advisory lock of Postgres, which ends with its session."""
    key = int.from_bytes(hashlib.sha256(f"millrace {name}".encode()).digest()[:8], "big", signed=True)
    engine = create_engine(sql_uri(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with _unavailable(), engine.connect() as connection:
        for setting, value in KEEPALIVE.items():
            connection.execute(text(f"SET tcp_keepalives_{setting} = {value}"))
        yield lambda: _ask(connection, f"SELECT pg_try_advisory_lock({key})"), lambda: _check(connection)


def _check(connection: Connection) -> None:
    with _unavailable():
        _ask(connection, "SELECT true")


def _ask(connection: Connection, question: str) -> bool:
    return bool(connection.execute(text(question)).scalar())


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(error).splitlines()[0]
        raise UnavailableError(
            f"The catalog's database does not answer: {cause}.", code="catalog_unavailable"
        ) from error
