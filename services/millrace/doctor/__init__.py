"""Looking at every part that a pipeline stands on: here, and on a Kubernetes cluster."""

from millrace.doctor.checks import CHECKS, CheckFailedError, examine

__all__ = ["CHECKS", "CheckFailedError", "examine"]
