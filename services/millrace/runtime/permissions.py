"""What to say of a file that belongs to somebody else."""

import getpass
import os
from pathlib import Path


def explain_denied(path: Path) -> str:
    """The sentence for a file or folder that this user may not use: whose it is, and what to do.

    Names the outermost folder on the way that is closed, since what lies below it can't be seen.
    """
    closed = next((folder for folder in (*reversed(path.parents), path) if not _is_open(folder)), path)
    try:
        owner = closed.owner()
    except (KeyError, OSError):
        owner = "somebody else"
    return (
        f"{closed} belongs to {owner} and is closed to {user_name()}. Give it back with "
        f"`sudo chown -R {user_name()} {closed}`, or name another folder (MILLRACE_HOME, MILLRACE_CACHE)."
    )


def explain_unreadable(home: Path, name: str) -> str | None:
    """`explain_denied` where a home or its file `name` exists and can't be read; else None."""
    try:
        (home / name).open("rb").close()
    except PermissionError:
        return explain_denied(home / name)
    except OSError:
        return None
    return None


def user_name() -> str:
    """The name of the process's user, or its number where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _is_open(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK)
