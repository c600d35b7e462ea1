"""Write services/millrace/local/jars.lock: every jar of the one-machine stack with its checksum and size.

For developers, after a version here has changed. Needs Maven, which resolves what the wanted jars need in turn.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

LOCK = Path(__file__).parents[1] / "services/millrace/local/jars.lock"
KAFKA, LOG4J, SINK, SQLITE, POSTGRES = "4.3.1", "2.25.4", "1.12.0", "3.50.3.0", "42.7.14"
SPARK = "4.0.4"
# Bundle -> (wanted jars, whether their dependencies come along).
BUNDLES = {
    "kafka": (
        [
            f"org.apache.kafka:{name}:{KAFKA}"
            for name in ("kafka_2.13", "connect-runtime", "connect-json", "connect-basic-auth-extension")
        ]
        # Kafka names Log4j and not the bridge to it; without the bridge nothing at all is logged.
        + [f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}"],
        True,
    ),
    "connect-iceberg": (
        [f"org.apache.iceberg:iceberg-{name}:{SINK}" for name in ("kafka-connect", "parquet", "aws", "aws-bundle")]
        # The sink does not name these three, and fails without them.
        + ["dev.failsafe:failsafe:3.3.2"]
        + [f"org.apache.hadoop:hadoop-client-{name}:3.4.1" for name in ("api", "runtime")]
        + [f"org.xerial:sqlite-jdbc:{SQLITE}", f"org.postgresql:postgresql:{POSTGRES}"],
        True,
    ),
    # Whole, with what it needs under names of its own: it goes beside Kafka's jars, not into a plugin.
    "connect-msk": (["software.amazon.msk:aws-msk-iam-auth:2.3.9:all"], False),
    "s3proxy": (["org.gaul:s3proxy:4.1.0", "com.fasterxml.jackson.core:jackson-annotations:2.22"], True),
    "spark": (
        [
            "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0",
            "org.apache.iceberg:iceberg-aws-bundle:1.11.0",
            f"org.xerial:sqlite-jdbc:{SQLITE}",
            f"org.postgresql:postgresql:{POSTGRES}",
            f"org.apache.spark:spark-sql-kafka-0-10_2.13:{SPARK}",
            # 4.0.4 of this one is not published everywhere; the two work together.
            "org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.0.0",
            "org.apache.kafka:kafka-clients:3.9.1",
            "org.apache.commons:commons-pool2:2.12.1",
        ],
        False,
    ),
}
ALONE = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{}</dependency>"
POM = (
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    "<groupId>millrace</groupId><artifactId>jars</artifactId><version>1</version>"
    "<dependencies>{}</dependencies></project>"
)


def resolve(wanted: list[str], transitive: bool, folder: Path) -> list[str]:
    """`path sha256 size` of every jar, the path as in a Maven repository."""
    parts = []
    for name in wanted:
        *position, version, classifier = [*name.split(":"), ""][:4]
        chosen = f"<classifier>{classifier}</classifier>" if classifier else ""
        parts.append(DEPENDENCY.format(*position, version, chosen + ("" if transitive else ALONE)))
    (folder / "pom.xml").write_text(POM.format("".join(parts)))
    options = ["-DincludeScope=runtime", "-DoutputDirectory=jars", "-Dmdep.useRepositoryLayout=true"]
    subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", *options], cwd=folder, check=True)
    jars = folder / "jars"
    return [
        f"{jar.relative_to(jars)} {hashlib.sha256(jar.read_bytes()).hexdigest()} {jar.stat().st_size}"
        for jar in sorted(jars.rglob("*.jar"))
    ]


def main() -> None:
    lines = ["# bundle path sha256 size; written by tools/lock_jars.py"]
    for bundle, (wanted, transitive) in BUNDLES.items():
        with tempfile.TemporaryDirectory() as folder:
            lines += [f"{bundle} {line}" for line in resolve(wanted, transitive, Path(folder))]
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
