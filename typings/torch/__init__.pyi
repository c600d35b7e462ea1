"""PyTorch is an extra: a stub takes its names as they come, so that a check is the same with it and without."""

from typing import Any

def __getattr__(name: str) -> Any: ...
