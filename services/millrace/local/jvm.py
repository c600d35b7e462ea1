"""What every JVM of the stack is started with: neither the path of its home nor the environment of its owner matters.

A JVM runs in its home and is given relative paths only: Kafka splits lists of folders at commas, Java reads properties
files as Latin-1, Spark splits options at blanks, and the sink splits the command line.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from millrace.local import jars

FOREIGN_VARIABLES = (
    "AWS_",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "KAFKA_",
    "LOG4J_",
    "LC_",
)
"""How variables begin that are meant for other programs and would change ours."""
SPARK_PREFIXES = ("SPARK_", "PYSPARK_", "HADOOP_")
LOCALE = "C.UTF-8"
"""In the locale C a JVM can't name files outside ASCII."""
# The stack shares a small machine with Spark: the first compiler's code is enough for it, and one thread of collection.
SHARED_OPTIONS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def clean_environment(environment: Mapping[str, str], foreign: tuple[str, ...] = FOREIGN_VARIABLES) -> dict[str, str]:
    """An environment without the variables of other programs, in a locale that knows all letters."""
    kept = {name: value for name, value in environment.items() if not name.startswith(foreign)}
    return kept | {"LC_ALL": LOCALE}


def link_jars(home: Path) -> None:
    """Make the cache of jars reachable as `jars` in the home."""
    link, target = home / "jars", jars.bundle_folder("kafka").parent
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def relative_classpath(bundle: str) -> str:
    """The jars of a bundle as seen from the home."""
    return os.pathsep.join(f"jars/{bundle}/{file.name}" for file in jars.jar_files(bundle))
