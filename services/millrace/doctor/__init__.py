"""Looking at every part that a pipeline stands on: here, and on a Kubernetes cluster."""

from millrace.doctor.checks import CHECKS, Fault, examine

__all__ = ["CHECKS", "Fault", "examine"]
