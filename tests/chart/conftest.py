"""Needs helm; everything else is in the repository."""

import pytest

from tests.chart.render import helm


@pytest.fixture(autouse=True, scope="session")
def _helm() -> None:
    if helm() is None:
        pytest.skip("helm is not here: install it, or `make helm` builds it with Go")
