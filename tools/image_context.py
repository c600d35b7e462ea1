"""Write the build context of one image into a folder: `image_context.py api /tmp/context`.

For builders that want the Containerfile at the root of its context. Only files that git knows (also new ones that it
does not ignore) go in, so that nothing of a working copy slips into an image, and equal files give equal layers.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ["pyproject.toml", "README.md", "LICENSE", "requirements/build.lock", "services"]
FETCH = ["k8s/images/fetch_jars.py", "services/millrace/local/jars.lock"]
# What each image is made from, and nothing else: a change elsewhere makes no new image.
PARTS = {
    "api": [*PACKAGE, "requirements/api.lock"],
    "ingest": [*PACKAGE, "requirements/ingest.lock"],
    "spark": [*PACKAGE, *FETCH, "requirements/spark.lock", "spark-apps", "k8s/images/spark"],
    "connect": FETCH,
}


def write(image: str, target: Path) -> None:
    """Raises SystemExit when there is no such image."""
    containerfile = ROOT / "k8s/images" / image / "Containerfile"
    if image not in PARTS:
        sys.exit(f"There is no image {image!r}; allowed: {', '.join(PARTS)}.")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS[image]]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    shutil.copy2(containerfile, target / "Containerfile")


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
