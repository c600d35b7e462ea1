"""How many bytes the arrays of a version may take, before they are written or loaded."""

from collections.abc import Mapping

from millrace.errors import CorruptError
from millrace.registry.arrays import count_bytes
from millrace.registry.manifest import ArraySpec
from millrace.settings import settings

SHOWN_ARRAYS = 3
"""Arrays that a refusal names, the largest first."""


def check_budget(specs: Mapping[str, ArraySpec], where: str) -> None:
    """Raises CorruptError for arrays that together take more than `version_budget` bytes; `where` is their version.

    The largest are named, as one that is out of proportion is what to look into.
    """
    sizes = {name: count_bytes(spec) for name, spec in specs.items()}
    total, budget = sum(sizes.values()), settings().version_budget
    if total <= budget:
        return
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:SHOWN_ARRAYS]
    named = ", ".join(f"{name} {format_megabytes(sizes[name])}" for name in largest)
    raise CorruptError(
        f"{where}: its arrays take {format_megabytes(total)}; allowed: {format_megabytes(budget)}. "
        f"The largest: {named}. Look for records that make them so large, or raise MILLRACE_VERSION_BUDGET "
        "(chart: storage.versionBudget) together with the memory of what loads the version.",
        code="over_budget",
        field="arrays",
        allowed=f"{budget} bytes",
    )


def format_megabytes(count: int) -> str:
    """Bytes as megabytes (10 ** 6), with a digit after the point below ten."""
    megabytes = count / 1_000_000
    return f"{megabytes:.1f} MB" if megabytes < 10 else f"{megabytes:,.0f} MB"
