"""Ending early, simulated as its bench does it: false decisions stay below the level, and true ones come soon."""

import math

import numpy as np
import pytest

from benches.sequential import e_table, false_alone, false_in_groups, is_any_false, items_needed, least_leads
from benches.sequential import main as bench
from eval.measures.e_values import evidence


def most(runs: int) -> float:
    """The largest share of false decisions that so many runs may show, if one in twenty is allowed."""
    return 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_the_bench_bets_as_a_run_does() -> None:
    rng, needed, table = np.random.default_rng(1), least_leads(400), e_table(400)
    for chance in (0.5, 0.6, 0.7):
        gains = np.where(rng.random(400) < chance, 1.0, -1.0)
        found = evidence(gains, np.ones(400, dtype=np.int64), largest=1, margin=0.0)
        lead, n_discordant = np.abs(gains.cumsum()).astype(int), np.arange(1, 401)
        best = np.maximum(found.more, found.less)
        assert ((best >= 20) == (lead >= needed[n_discordant])).all()
        kept = lead < table.shape[1]
        assert table[n_discordant[kept], lead[kept]] == pytest.approx(best[kept], rel=1e-4)


@pytest.mark.parametrize("discordance", [0.02, 0.3, 0.5])
def test_equal_systems_are_seldom_told_apart_at_any_time(discordance: float) -> None:
    rng = np.random.default_rng(2)
    assert false_alone(300, discordance, 4000, rng) <= most(4000)
    assert false_in_groups(300, discordance, 400, rng) <= most(400)


def test_nor_are_they_at_the_size_of_a_benchmark() -> None:
    assert false_alone(3080, 0.3, 1000, np.random.default_rng(3)) <= most(1000)


def test_of_four_equal_systems_hardly_ever_any_pair_is() -> None:
    rng, table = np.random.default_rng(4), e_table(300)
    assert np.mean([is_any_false(300, 0.3, 4, table, rng) for _ in range(1000)]) <= most(1000)


@pytest.mark.parametrize(("difference", "most_items"), [(0.08, 350), (0.04, 1000)])
def test_a_true_difference_is_found_soon(difference: float, most_items: int) -> None:
    needed = items_needed(4 * most_items, 0.2, difference, np.random.default_rng(5))
    assert np.median(needed) <= most_items
    assert (needed < 0).mean() <= 0.05


def test_the_bench_prints_its_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNE_OR_PROMPT_DATA", raising=False)
    bench(["--runs", "4", "--items", "40", "--systems", "3"])
    printed = capsys.readouterr().out
    assert "3 equally good systems (3 pairs)" in printed and printed.count("| ---") >= 3
