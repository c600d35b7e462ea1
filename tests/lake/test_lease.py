"""The lock of the one stream: exclusive, and given back by the end of its holder, whatever end that is."""

import subprocess
import sys

import pytest

from millrace.errors import BadInputError, ConflictError, UnavailableError
from millrace.lake.lease import hold_lease
from tests.registry.servers import settings_of

HOLDER = """
from millrace.lake.lease import hold_lease
with hold_lease('a', 'no'):
    print('held', flush=True)
    input()
"""


@pytest.fixture
def catalog(tmp_path):
    with settings_of({"MILLRACE_CATALOG_JDBC": f"jdbc:sqlite:{tmp_path / 'catalog.db'}"}):
        yield


def test_lease_is_held_by_one_process_at_a_time(catalog):
    with hold_lease("a", "no"):
        with pytest.raises(ConflictError, match="another runs"), hold_lease("a", "another runs", patience=0):
            pytest.fail("held twice")
        with pytest.raises(ConflictError), hold_lease("a", "stopped meanwhile", lambda: False):
            pytest.fail("held twice")
        with hold_lease("b", "no", patience=0) as check:
            check()
    with hold_lease("a", "no", patience=0):
        pass


def test_lease_is_released_when_its_holder_is_killed(catalog):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConflictError), hold_lease("a", "no", patience=0):
            pytest.fail("held twice")
    finally:
        holder.kill()
        holder.communicate()
    with hold_lease("a", "no", patience=0):
        pass


def test_unavailable_database_is_reported():
    pytest.importorskip("psycopg2", reason="Postgres' driver is not installed: pip install 'millrace[cluster]'")
    with (
        settings_of({"MILLRACE_CATALOG_JDBC": "jdbc:postgresql://127.0.0.1:1/none"}),
        pytest.raises(UnavailableError, match="does not answer"),
        hold_lease("a", "no", patience=0),
    ):
        pytest.fail("held without a database")
    with settings_of({"MILLRACE_CATALOG_JDBC": "jdbc:oracle:x"}), pytest.raises(BadInputError), hold_lease("a", "no"):
        pytest.fail("held")
