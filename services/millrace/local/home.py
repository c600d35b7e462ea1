"""The folder of the one-machine stack. Images import this, which have no stack: it needs no library of the stack's."""

import os
from pathlib import Path

from millrace.errors import BadInputError, UnavailableError
from millrace.runtime.permissions import explain_denied
from millrace.settings import settings

PRIVATE = 0o700


def make_home() -> Path:
    """The home, made where it is missing, closed to all but its owner.

    Raises BadInputError where its path is not UTF-8, which JVMs can't name; UnavailableError where it is somebody
    else's.
    """
    home = settings().home
    try:
        str(home).encode()
    except UnicodeEncodeError:
        raise BadInputError(
            f"MILLRACE_HOME={os.fsencode(home)!r} is not usable: its bytes are not UTF-8; allowed: any other path. "
            "Rename the folder, or set MILLRACE_HOME.",
            code="bad_setting",
            field="home",
        ) from None
    try:
        home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        home.chmod(PRIVATE)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        reason = f"{home} is not a folder." if not isinstance(error, PermissionError) else explain_denied(home)
        raise UnavailableError(reason, code="home_unreadable", field="home") from None
    return home
