"""The Iceberg catalog as its three users configure it: pyiceberg here, the sink and Spark by properties."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import quote

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from millrace.errors import BadInputError, UnavailableError
from millrace.lake import CATALOG
from millrace.rights import WAREHOUSE
from millrace.runtime.sqlite import to_file
from millrace.settings import require_address, settings


def warehouse_uri() -> str:
    """The folder of all tables."""
    return f"s3://{settings().lake_bucket}/{WAREHOUSE}".rstrip("/")


def java_properties() -> dict[str, str]:
    """Properties for Iceberg's Java side (the sink and Spark), without secrets: see `java_secrets`."""
    jdbc, endpoint, current = require_address("catalog_jdbc"), require_address("s3_endpoint"), settings()
    properties = {
        "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        "uri": jdbc,
        "jdbc.schema-version": "V1",
        "warehouse": warehouse_uri(),
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        "client.region": current.s3_region,
    }
    if to_file(jdbc):
        # One connection a process: SQLite locks the whole file while one writes.
        properties["clients"] = "1"
    if current.catalog_user:
        properties["jdbc.user"] = current.catalog_user
    if endpoint:
        properties |= {"s3.endpoint": endpoint, "s3.path-style-access": "true"}
    return properties


def java_secret_environment() -> dict[str, str]:
    """The environment in which a JVM finds its S3 credentials, so that no configuration holds them."""
    current = settings()
    if not (current.s3_access_key and current.s3_secret_key):
        return {}
    return {
        "AWS_ACCESS_KEY_ID": current.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": current.s3_secret_key.get_secret_value(),
        "AWS_REGION": current.s3_region,
    }


def sql_uri() -> str:
    """The catalog's address as SQLAlchemy writes it, from the JDBC one."""
    jdbc, current = require_address("catalog_jdbc"), settings()
    kind, _, rest = jdbc.removeprefix("jdbc:").partition(":")
    if file := to_file(jdbc):
        return URL.create("sqlite", database=str(file)).render_as_string()
    if kind == "postgresql":
        password = current.catalog_password.get_secret_value() if current.catalog_password else ""
        login = f"{quote(current.catalog_user, '')}:{quote(password, '')}@" if current.catalog_user else ""
        return f"postgresql+psycopg2://{login}{rest.removeprefix('//')}"
    raise BadInputError(
        f"MILLRACE_CATALOG_JDBC={jdbc!r} is not usable; allowed: jdbc:sqlite:FILE or "
        "jdbc:postgresql://HOST:PORT/DATABASE.",
        code="bad_setting",
        field="catalog_jdbc",
    )


@lru_cache(maxsize=1)
def load_catalog() -> SqlCatalog:
    """Pyiceberg's view of the catalog. Raises UnavailableError with its address."""
    uri, current = sql_uri(), settings()
    properties = {
        "uri": uri,
        "warehouse": warehouse_uri(),
        "s3.region": current.s3_region,
        "s3.force-virtual-addressing": "false",
        # Java's JdbcCatalog creates the same tables; whoever comes first does.
        "init_catalog_tables": "true",
    }
    if endpoint := require_address("s3_endpoint"):
        properties["s3.endpoint"] = endpoint
    if current.s3_access_key and current.s3_secret_key:
        properties["s3.access-key-id"] = current.s3_access_key
        properties["s3.secret-access-key"] = current.s3_secret_key.get_secret_value()
    try:
        return SqlCatalog(CATALOG, **properties)
    except Exception as error:
        raise UnavailableError(
            f"The catalog at {current.catalog_jdbc} does not answer: {error}. `millrace doctor` says more.",
            code="catalog_unavailable",
        ) from error


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what pyiceberg raises while it reads or writes a table into UnavailableError.

    It may also be that a file is gone whose snapshot has expired meanwhile: whoever tries again reads the next one.
    """
    try:
        yield
    except (OSError, SQLAlchemyError, CommitFailedException) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnavailableError(
            f"The lake does not answer: {cause}. `millrace doctor` says more.", code="lake_unavailable"
        ) from error
