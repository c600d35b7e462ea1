"""Counts test functions and assertions by tier: `python -m tests.count`.

A tier that loses more than another gains has lost tests. Parameters are cases, not functions; an assertion is an
`assert` or a `pytest.raises` in the function itself. A function with cases in several tiers counts in the quickest.
"""

import ast
import contextlib
import io
import sys
from collections import Counter
from pathlib import Path

import pytest

TIERS = ("check", "test", "cluster", "thorough")


class Collected:
    """Remembers what pytest collects."""

    def __init__(self) -> None:
        self.cases: list[tuple[str, Path, str]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from tests.tiers import tier_of  # pytest imports it first, to rewrite its assertions

        self.cases = [(tier_of(item), item.path, getattr(item, "originalname", item.name)) for item in session.items]


def assertions(file: Path) -> dict[str, int]:
    """Assertions by test function of a file."""
    counts = {}
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            below = list(ast.walk(node))
            asserts = sum(isinstance(one, ast.Assert) for one in below)
            raises = sum(isinstance(one, ast.Attribute) and one.attr == "raises" for one in below)
            counts[node.name] = asserts + raises
    return counts


def main() -> int:
    """Print the table; 1 when the tests can't be collected."""
    collected = Collected()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main(["--collect-only", "-q"], plugins=[collected])
    if code:
        sys.stderr.write(output.getvalue())
        return 1
    cases, functions = Counter(tier for tier, _, _ in collected.cases), {}
    for tier, file, name in sorted(collected.cases, key=lambda case: -TIERS.index(case[0])):
        functions[file, name] = tier  # the quickest tier comes last and stays
    inside = {file: assertions(file) for file in {file for file, _ in functions}}
    sys.stdout.write(f"{'tier':<10}{'functions':>10}{'cases':>8}{'assertions':>12}\n")
    for tier in (*TIERS, "all"):
        mine = [key for key, of in functions.items() if tier in (of, "all")]
        total = cases[tier] if tier != "all" else cases.total()
        sys.stdout.write(f"{tier:<10}{len(mine):>10}{total:>8}{sum(inside[file][name] for file, name in mine):>12}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
