"""What is remembered from test to test would hide a fault from all but the first."""

from collections.abc import Iterator

import pytest

from edgebench import orderstats


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    orderstats.quantile_ranks.cache_clear()
    yield
    orderstats.quantile_ranks.cache_clear()
