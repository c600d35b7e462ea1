"""Download one bundle of jars.lock into a folder: `fetch_jars.py LOCK BUNDLE FOLDER`. Standard library only."""

import hashlib
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BASE = os.environ.get("MAVEN_URL", "https://repo1.maven.org/maven2").rstrip("/")


def fetch(path: str, sha256: str, target: Path) -> None:
    """One jar; a file with another checksum than the lock's ends the build."""
    for attempt in (1, 2, 3):
        try:
            with urllib.request.urlopen(f"{BASE}/{path}", timeout=120) as answer:
                content = answer.read()
            break
        except OSError:
            if attempt == 3:
                raise
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{BASE}/{path} has the checksum {found}, the lock says {sha256}")
    target.write_bytes(content)


def main(lock: str, bundle: str, folder: str) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    rows = [line.split() for line in Path(lock).read_text().splitlines()]
    wanted = [row for row in rows if row[0] == bundle]
    if not wanted:
        sys.exit(f"{lock} has no bundle {bundle!r}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda row: fetch(row[1], row[2], target / Path(row[1]).name), wanted))


if __name__ == "__main__":
    main(*sys.argv[1:])
