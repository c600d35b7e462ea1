"""Looking at every part that a pipeline stands on: here, and on a Kubernetes cluster."""

from millrace.doctor.checks import CHECKS, CheckFailed, examine

__all__ = ["CHECKS", "CheckFailed", "examine"]
