"""The interval over items and wordings keeps its level; the deviation between wordings is that of the two-way table."""

import numpy as np
import pytest

from eval.measures.stats import Interval
from eval.measures.two_way import deviation_between, two_way_interval

ANY = Interval(-9.0, 9.0)


def drawn(rng: np.random.Generator, m: int, n: int, *, between: float, size: int = 1) -> np.ndarray:
    """(m, n) scores around 0: items in groups of `size`, wordings with the standard deviation `between`."""
    groups = np.repeat(rng.normal(0, 0.3, n // size), size)
    return np.asarray(
        groups + rng.normal(0, 0.2, n) + rng.normal(0, between, (m, 1)) + rng.normal(0, 0.3, (m, n)), dtype=float
    )


@pytest.mark.parametrize(("m", "between", "size"), [(3, 0.1, 1), (5, 0.05, 1), (5, 0.1, 4), (4, 0.0, 1)])
def test_it_covers_the_mean_over_all_items_and_wordings_where_that_of_the_items_alone_does_not(
    m: int, between: float, size: int
) -> None:
    rng, n, rounds = np.random.default_rng(7), 200, 600
    groups = np.repeat(np.arange(n // size), size)
    covered, alone = 0, 0
    for _ in range(rounds):
        values = drawn(rng, m, n, between=between, size=size)
        both = two_way_interval(values.mean(axis=0), [values], groups, within=ANY)
        items = two_way_interval(values.mean(axis=0), [], groups, within=ANY)
        assert both is not None and items is not None
        covered += both.low <= 0 <= both.high
        alone += items.low <= 0 <= items.high
    assert covered / rounds >= 0.93
    if between >= 0.1:
        assert alone / rounds < 0.85


def test_the_deviation_is_that_of_the_two_way_analysis_of_variance() -> None:
    values = drawn(np.random.default_rng(1), 4, 60, between=0.2)
    m, n = values.shape
    rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    of_rest = (rest**2).sum() / ((m - 1) * (n - 1))
    of_wordings = n * values.mean(axis=1).var(ddof=1)
    expected = np.sqrt((of_wordings - of_rest) / n)
    assert deviation_between(values, np.arange(n)) == pytest.approx(expected)


def test_wordings_that_differ_by_chance_alone_have_no_deviation_on_average() -> None:
    rng = np.random.default_rng(5)
    squared = [deviation_between(drawn(rng, 4, 200, between=0.1), np.arange(200)) ** 2 for _ in range(400)]
    assert np.mean(squared) == pytest.approx(0.01, rel=0.15)
    nothing = [deviation_between(drawn(rng, 4, 200, between=0.0), np.arange(200)) for _ in range(400)]
    assert np.median(nothing) < 0.01


def test_one_cluster_or_nothing_that_varies_says_nothing() -> None:
    values = np.ones((3, 8))
    assert two_way_interval(values[0], [values], np.arange(8), within=ANY) is None
    assert two_way_interval(np.arange(8.0), [], np.zeros(8), within=ANY) is None
    assert deviation_between(values, np.zeros(8)) == 0
