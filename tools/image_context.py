"""Write the build context of one image into a folder: `image_context.py api /tmp/context`.

For builders that want the Containerfile at the root of its context. Only files that git knows (also new ones that it
does not ignore) go in, so that nothing of a working copy slips into an image, and equal files give equal layers.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ["pyproject.toml", "README.md", "LICENSE", "requirements", "services", "spark-apps", "k8s/images"]


def write(image: str, target: Path) -> None:
    """Raises SystemExit when there is no such image."""
    containerfile = ROOT / "k8s/images" / image / "Containerfile"
    if not containerfile.is_file():
        names = ", ".join(sorted(path.parent.name for path in containerfile.parents[1].glob("*/Containerfile")))
        sys.exit(f"There is no image {image!r}; allowed: {names}.")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    shutil.copy2(containerfile, target / "Containerfile")


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
