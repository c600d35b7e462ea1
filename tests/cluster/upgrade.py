"""What an upgrade from the previous chart was like."""

from typing import Any, NamedTuple


class Upgrade(NamedTuple):
    """What the release held before and after it, as Release.holds gives it, and the charts of its revisions by then."""

    before: dict[str, Any]
    after: dict[str, Any]
    charts: list[str]
