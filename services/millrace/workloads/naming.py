"""Names for clusters that are ordered from lowest to highest."""

from collections.abc import Callable

Naming = Callable[[int], dict[str, list[str]]]
"""The names of so many clusters, by column."""

SCALES = {
    2: ["low", "high"],
    3: ["low", "medium", "high"],
    4: ["low", "medium-low", "medium-high", "high"],
    5: ["very low", "low", "medium", "high", "very high"],
    6: ["very low", "low", "medium-low", "medium-high", "high", "very high"],
    7: ["very low", "low", "medium-low", "medium", "medium-high", "high", "very high"],
    8: ["lowest", "very low", "low", "medium-low", "medium-high", "high", "very high", "highest"],
}


def make_scale(noun: str) -> Naming:
    """A naming rule: `scale("popularity")(3)` is low, medium and high popularity."""

    def names(k: int) -> dict[str, list[str]]:
        words = SCALES.get(k) or [f"step {step} of {k} in" for step in range(1, k + 1)]
        return {"label": [f"{word} {noun}" for word in words]}

    return names
