"""The Spark session, with the lake's catalog under its name."""

import os
import sys
from collections.abc import Mapping
from types import MappingProxyType

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from millrace.lake import CATALOG
from millrace.lake.catalog import java_properties, java_secret_environment
from millrace.local import jars, java, jvm
from millrace.local.home import make_home
from millrace.settings import settings

# A local session lives for a minute or two: the first compiler's code is soon better than the second's is late.
# That compiler's own default for its code, 48 MB, is full after a few fits, and then everything is interpreted.
FAST_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
# What a Python process gets at once: rows of millrace.training.sums are long, and histories short.
BATCH_OPTIONS = {
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 * 2**20),
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}

# Errors only: warnings of a local session are about clusters.
LOGGING_FILE = "spark-log4j2.properties"
LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
"""


def is_launched_by_submit() -> bool:
    """Whether spark-submit has started this process, which then chose master, jars and memory."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def is_local() -> bool:
    """Whether the session is one of this machine, whose JVM is started from here."""
    return not is_launched_by_submit() and settings().spark_master.startswith("local")


def spark_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that starts Spark, made of that of its parent.

    On one machine it has our own Spark, a Java that Spark can run on, and S3 credentials: whatever the parent's says
    of another Spark, another account of AWS, another Hadoop.
    """
    if not is_local():
        return {**inherited, **java_secret_environment()}
    foreign = (
        jvm.FOREIGN_VARIABLES
        if java_secret_environment()
        else tuple(name for name in jvm.FOREIGN_VARIABLES if name != "AWS_")
    )
    return {
        **jvm.clean_environment(inherited, (*foreign, *jvm.SPARK_PREFIXES)),
        **java_secret_environment(),
        "JAVA_HOME": str(java.find_java().resolve().parents[1]),
        "PYSPARK_PYTHON": sys.executable,
    }


def start_session(name: str, more: Mapping[str, str] = MappingProxyType({})) -> SparkSession:
    """A session with `more` options of its own; under spark-submit the options given there win."""
    current = settings()
    options = {
        "spark.app.name": name,
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        f"spark.sql.catalog.{CATALOG}": "org.apache.iceberg.spark.SparkCatalog",
        # A cached table would show a long-lived session yesterday's snapshot.
        f"spark.sql.catalog.{CATALOG}.cache-enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.showConsoleProgress": "false",
    }
    options |= BATCH_OPTIONS | {f"spark.sql.catalog.{CATALOG}.{key}": value for key, value in java_properties().items()}
    options |= more
    if is_local():
        options |= make_local_options()
        _launch(options)
    builder = SparkSession.builder
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    if current.catalog_password:
        # Not before: options are arguments of the JVM's command line, which everybody on the machine can read.
        session.conf.set(f"spark.sql.catalog.{CATALOG}.jdbc.password", current.catalog_password.get_secret_value())
    return session


def make_local_options() -> dict[str, str]:
    """What spark-submit would be told. Paths are relative to the home, in which the JVM runs: they have no blanks."""
    current = settings()
    return {
        "spark.master": current.spark_master,
        "spark.jars": ",".join(file.as_uri() for file in jars.jar_files("spark")),
        "spark.driver.memory": current.spark_memory,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # Other users of the machine reach the driver's ports, and are not let in; Spark draws the secret itself.
        "spark.authenticate": "true",
        "spark.driver.extraJavaOptions": f"{FAST_START} -Dlog4j2.configurationFile={LOGGING_FILE}",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.local.dir": "spark",
        "spark.sql.warehouse.dir": "spark/warehouse",
    }


def _launch(options: Mapping[str, str]) -> None:
    """Start the JVM of this process in the home, if it has none yet."""
    if SparkContext._gateway is not None:  # pyright: ignore[reportPrivateUsage] - Spark's own way to share a JVM
        return
    home = make_home()
    (home / LOGGING_FILE).write_text(LOGGING)
    wanted = spark_environment(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    gateway = launch_gateway(SparkConf(loadDefaults=False).setAll(list(options.items())), {"cwd": home})
    SparkContext._ensure_initialized(gateway=gateway)  # pyright: ignore[reportPrivateUsage]
