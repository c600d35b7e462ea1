"""The limit on open files of a process."""

import resource

MANY_FILES = 1 << 20  # what stands for no limit: as many as Linux lets a process have by default (fs.nr_open)


def raise_file_limit() -> int:
    """Raise the soft limit on open files as far as it goes without rights, and return it. Children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return count_file_limit()


def count_file_limit() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MANY_FILES if soft == resource.RLIM_INFINITY else soft
