"""The online updater as a child of the stack: it has no port, and waits by itself for topics and champions."""

import sys

from millrace.local.child import Child


def make_updater() -> Child:
    """The updater as a process of the stack."""
    return Child("online", [sys.executable, "-m", "millrace.cli", "online"], None, lambda: True)
