"""Finding a Java that Kafka and Spark both run on, and installing one where the system's package manager may."""

import logging
import os
import re
import shutil
import subprocess
from pathlib import Path

from millrace.errors import UnavailableError

log = logging.getLogger(__name__)
OLDEST, NEWEST = 17, 23
"""Kafka 4 and Spark 4 need 17. From 24 on the security manager is gone, on which Hadoop's client inside Spark 4.0 calls
(JEP 486, SPARK-52444)."""
USABLE_VERSIONS = f"Java {OLDEST} to {NEWEST}"
JVM_FOLDER = Path("/usr/lib/jvm")
INSTALLERS = {
    "apt-get": [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "openjdk-17-jre-headless"]],
    "dnf": [["dnf", "install", "-y", "-q", "java-17-openjdk-headless"]],
}


def read_version(java: Path) -> int | None:
    """The feature version of a java binary, None when it does not run."""
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(match[1]) if match else None


def list_candidates() -> list[Path]:
    """Where a Java may be, in the order in which people expect it to be taken."""
    programs = []
    if home := os.environ.get("JAVA_HOME"):
        programs.append(Path(home) / "bin/java")
    if on_path := shutil.which("java"):
        programs.append(Path(on_path))
    return programs + sorted(JVM_FOLDER.glob("*/bin/java"))


def find_java() -> Path:
    """The first Java that is usable. Raises UnavailableError that says which versions were seen and what to install."""
    seen: dict[Path, str] = {}
    for program in list_candidates():
        number = read_version(program)
        if number is not None and OLDEST <= number <= NEWEST:
            if seen:
                log.warning("%s is used: %s", program, "; ".join(seen.values()))
            return program
        if number is not None:
            seen.setdefault(program.resolve(), f"{program} is {number}, and {USABLE_VERSIONS} are usable")
    raise UnavailableError(
        f"{USABLE_VERSIONS} are usable, and none was found ({'; '.join(seen.values()) or 'no java at all'}). "
        "Install one, for example `sudo apt-get install openjdk-17-jre-headless`, or point JAVA_HOME at it.",
        code="no_java",
    )


def ensure_java() -> Path:
    """`find`, after an attempt to install a JRE where this user may install packages."""
    try:
        return find_java()
    except UnavailableError:
        installer = next((name for name in INSTALLERS if shutil.which(name)), None)
        if os.geteuid() != 0 or installer is None:
            raise
        for command in INSTALLERS[installer]:
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return find_java()
