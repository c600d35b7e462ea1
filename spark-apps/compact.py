"""Compact tables of the lake, expire old snapshots: `compact.py courses --keep-days 7`. The package does the work."""

import sys

from millrace.training.maintenance import main

if __name__ == "__main__":
    sys.exit(main())
