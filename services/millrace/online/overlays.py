"""What the events since the snapshots of a recommender's versions add, by version, as the API follows it."""

from typing import Any

import orjson


class Overlays:
    """By version, the state that its deltas add up to."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[str, bytes]] = {}
        self.watermark: float | None = None

    def apply(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        version, _, rest = key.partition("/")
        if value is None:
            self.versions.get(version, {}).pop(rest, None)
            return
        self.versions.setdefault(version, {})[rest] = value
        if rest == "watermark":
            self.watermark = orjson.loads(value)["at"]

    def said(self) -> dict[str, Any]:
        return {"versions": sorted(self.versions)}
