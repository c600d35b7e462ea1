"""Train models on a snapshot of the lake: `train.py courses --window all`. The package does the work."""

import sys

from millrace.training.app import main

if __name__ == "__main__":
    sys.exit(main())
