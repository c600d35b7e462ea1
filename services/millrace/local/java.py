"""Finding a Java of at least 17, and installing one where the system's package manager may."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from millrace.errors import Unavailable

WANTED = 17
# The stack shares a small machine with Spark: the first compiler's code is enough for it, and one thread of collection.
SHARED = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
INSTALLED = Path("/usr/lib/jvm")
INSTALLERS = {
    "apt-get": [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "openjdk-17-jre-headless"]],
    "dnf": [["dnf", "install", "-y", "-q", "java-17-openjdk-headless"]],
}


def version(java: Path) -> int | None:
    """The feature version of a java binary, None when it does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def candidates() -> list[Path]:
    """Where a Java may be, in the order in which people expect it to be taken."""
    places = []
    if home := os.environ.get("JAVA_HOME"):
        places.append(Path(home) / "bin/java")
    if on_path := shutil.which("java"):
        places.append(Path(on_path))
    return places + sorted(INSTALLED.glob("*/bin/java"), reverse=True)


def find() -> Path:
    """A Java >= 17. Raises Unavailable that says which versions were seen and what to install."""
    seen = []
    for place in candidates():
        number = version(place)
        if number is not None and number >= WANTED:
            return place
        if number is not None:
            seen.append(f"{place} is {number}")
    raise Unavailable(
        f"Java {WANTED} or newer is needed and was not found ({'; '.join(seen) or 'no java at all'}). Install it, "
        "for example `sudo apt-get install openjdk-17-jre-headless`, or point JAVA_HOME at one.",
        code="no_java",
    )


def ensure() -> Path:
    """`find`, after an attempt to install a JRE where this user may install packages."""
    try:
        return find()
    except Unavailable:
        installer = next((name for name in INSTALLERS if shutil.which(name)), None)
        if os.geteuid() != 0 or installer is None:
            raise
        for command in INSTALLERS[installer]:
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return find()
