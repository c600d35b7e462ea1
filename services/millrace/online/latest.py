"""The latest value of each key of a deltas topic, as it stands."""

from typing import Any


class Latest:
    """`values`: by key, the bytes that came last."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.watermark: float | None = None

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value
        self.watermark = timestamp_ms / 1000

    def said(self) -> dict[str, Any]:
        return {"keys": len(self.values)}
