"""Which code made a version."""

import subprocess

from millrace import __version__
from millrace.settings import REPOSITORY, settings


def find_code_version() -> str:
    """The package's version and the commit: of the image, or of the checkout."""
    if from_settings := settings().code_version:
        return f"{__version__}+{from_settings}"
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return __version__
    commit = done.stdout.strip()
    return f"{__version__}+{commit}" if commit else __version__
