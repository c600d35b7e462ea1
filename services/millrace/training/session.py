"""The Spark session, with the lake's catalog under its name."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pyspark.sql import SparkSession

from millrace.lake import CATALOG
from millrace.lake.catalog import java_properties, java_secrets
from millrace.local import jars, java
from millrace.settings import settings

# A local session lives for a minute or two: the first compiler's code is soon better than the second's is late.
# That compiler's own default for its code, 48 MB, is full after a few fits, and then everything is interpreted.
FAST_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
# What a Python process gets at once: rows of millrace.training.sums are long, and histories short.
BATCHES = {
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 * 2**20),
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
}


def environment() -> dict[str, str]:
    """What a process that starts Spark needs: credentials and, on one machine, a Java that is new enough."""
    found = java_secrets()
    if "SPARK_HOME" not in os.environ and settings().spark_master.startswith("local"):
        found["JAVA_HOME"] = str(java.find().resolve().parents[1])
        found["PYSPARK_PYTHON"] = sys.executable
    return found


def spark(name: str, more: Mapping[str, str] = MappingProxyType({})) -> SparkSession:
    """A session with `more` options of its own; under spark-submit the options given there win."""
    current = settings()
    builder = (
        SparkSession.builder.appName(name)
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .config(f"spark.sql.catalog.{CATALOG}", "org.apache.iceberg.spark.SparkCatalog")
        # A cached table would show a long-lived session yesterday's snapshot.
        .config(f"spark.sql.catalog.{CATALOG}.cache-enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.ui.showConsoleProgress", "false")
    )
    options = BATCHES | {f"spark.sql.catalog.{CATALOG}.{key}": value for key, value in java_properties().items()}
    options |= more
    for key, value in options.items():
        builder = builder.config(key, value)
    if current.catalog_password:
        builder = builder.config(
            f"spark.sql.catalog.{CATALOG}.jdbc.password", current.catalog_password.get_secret_value()
        )
    if "SPARK_HOME" not in os.environ and current.spark_master.startswith("local"):
        os.environ.update(environment())
        builder = (
            builder.master(current.spark_master)
            .config("spark.jars", ",".join(jars.classpath("spark").split(os.pathsep)))
            .config("spark.driver.memory", current.spark_memory)
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.extraJavaOptions", f"{FAST_START} -Dlog4j2.configurationFile={_logging()}")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "4")
            .config("spark.local.dir", str(current.home / "spark"))
            .config("spark.sql.warehouse.dir", str(current.home / "spark/warehouse"))
        )
    return builder.getOrCreate()


def _logging() -> Path:
    """Errors only: warnings of a local session are about clusters."""
    file = settings().home / "spark-log4j2.properties"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        "rootLogger.level = error\nrootLogger.appenderRef.console.ref = console\n"
        "appender.console.type = Console\nappender.console.name = console\nappender.console.target = SYSTEM_ERR\n"
        "appender.console.layout.type = PatternLayout\nappender.console.layout.pattern = %d %p %c{1}: %m%n\n"
    )
    return file
