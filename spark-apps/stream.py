"""Cluster the pages of a stream as they arrive: `stream.py urls`. The package does the work."""

import sys

from millrace.stream.app import main

if __name__ == "__main__":
    sys.exit(main())
