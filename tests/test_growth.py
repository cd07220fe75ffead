"""The growth bench measures what it says, and what was mended for its sake still gives the same figures."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from math import comb, log2
from pathlib import Path

import pytest

from benches.growth import MIB, exponent, growth_cells, scoring_rows, step_rows
from benches.growth_scoring import make_model
from benches.growth_scoring import prepare as prepare_scoring
from benches.growth_steps import STEPS, repeated
from benches.items import bench_items
from benches.own_process import ROOT, Measured, in_own_process, measure
from eval.measures.paired_tests import mcnemar_midp
from eval.rundir.journal import latest_records


@pytest.fixture(autouse=True)
def sample_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNE_OR_PROMPT_DATA", raising=False)


def in_this_process(module: str, arguments: list[str]) -> Measured:
    if module == "benches.growth_steps":
        step, few, whole = arguments
        return measure(lambda: STEPS[step](Path(few)), lambda: STEPS[step](Path(whole)))
    model, (budget, call, n) = Path(arguments[0]), map(int, arguments[1:])
    return measure(lambda: prepare_scoring(model, budget, call, 2), lambda: prepare_scoring(model, budget, call, n))


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(lambda n: 3 * n, 1.0), (lambda n: n * n / 7, 2.0), (lambda n: n * log2(n), 1.125)],
)
def test_the_exponent_of_known_growth(cost: Callable[[float], float], expected: float) -> None:
    assert exponent((1000, cost(1000)), (10_000, cost(10_000))) == pytest.approx(expected, abs=1e-3)


def test_growth_between_no_costs_or_sizes_is_refused_and_no_peak_has_no_exponent() -> None:
    for small, large in (((10, 0.0), (100, 1.0)), ((10, 1.0), (10, 1.0))):
        with pytest.raises(ValueError, match="no growth"):
            exponent(small, large)
    found = {10: Measured(0.5, 0), 100: Measured(1.0, 0), 1000: Measured(100.0, 3 * MIB)}
    assert growth_cells(found) == ["0.500", "1.000", "100.000", "2.00", "0.0", "0.0", "3.0", "–"]


def test_every_step_is_a_row_of_real_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benches.growth.in_own_process", in_this_process)
    title, rows = step_rows(tmp_path, [4, 8], runs=1)
    assert title == "mnli sample"
    assert [row[0] for row in rows] == ["runner", "journal", "metrics", "bootstrap", "compare", "report"]
    for row in rows:
        assert all(float(cell) > 0 for cell in row[1:3])
        assert all(float(cell) >= 0 for cell in row[4:6])
    (journal,) = tmp_path.glob("8/*/records.jsonl")
    assert len(latest_records(journal)) == 8
    assert (tmp_path / "8/run/report.html").is_file()


def test_label_scoring_is_measured_by_budget_and_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benches.growth.in_own_process", in_this_process)
    rows = scoring_rows(make_model(tmp_path / "model"), (3, 6), calls={"two": 2})
    assert [row[:2] for row in rows] == [["two", "512"], ["two", "8,192"]]
    assert all(float(cell) >= 0 for row in rows for cell in (*row[2:4], *row[5:]))


def test_a_process_of_its_own_measures_one_step(tmp_path: Path) -> None:
    from benches.growth_steps import make_set

    _, items = bench_items("mnli", None)
    few, whole = (str(make_set(tmp_path / str(n), items, n)) for n in (4, 200))
    measured = in_own_process("benches.growth_steps", ["journal", few, whole])
    assert measured.seconds > 0
    assert 200 * 500 < measured.peak_bytes < 200 * 50_000
    with pytest.raises(RuntimeError, match="KeyError: 'nosuch'"):
        in_own_process("benches.growth_steps", ["nosuch", few, whole])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak cannot be forgotten here")
def test_the_peak_is_of_the_work_alone() -> None:
    # In a process of its own, as it is used: here, memory that another test has freed might be taken again.
    code = (
        "from benches.own_process import measure; "
        f"big = measure(lambda: lambda: b'x' * {8 * MIB}, lambda: lambda: b'x' * {32 * MIB}); "
        "print(big.peak_bytes, measure(lambda: lambda: None, lambda: lambda: None).peak_bytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    big, nothing = map(int, done.stdout.split())
    assert 30 * MIB < big < 40 * MIB
    assert nothing < MIB


def test_items_that_come_again_are_of_groups_of_their_own() -> None:
    _, items = bench_items("mnli", 3)
    rows = list(repeated(items, 8))
    assert len(rows) == 8
    assert rows[0]["premise"] == items[0].inputs["premise"]
    assert rows[6]["premise"] == f"{items[0].inputs['premise']} (2)"
    assert [row["label"] for row in rows[3:6]] == [row["label"] for row in rows[:3]]


@pytest.mark.parametrize(("won", "lost"), [(3, 9), (140, 120), (600, 500), (1999, 2001)])
def test_midp_with_the_last_bits_left_out_is_the_exact_one(won: int, lost: int) -> None:
    n, smaller = won + lost, min(won, lost)
    exact = Fraction(2 * sum(comb(n, k) for k in range(smaller)) + comb(n, smaller), 2**n)
    assert mcnemar_midp(won, lost) == float(min(1, exact))


def test_midp_of_many_items_takes_no_time_and_neither_over_nor_underflows() -> None:
    assert mcnemar_midp(100_000, 100_000) == pytest.approx(1.0)
    assert mcnemar_midp(0, 5000) == 0.0
    assert 0 < mcnemar_midp(49_000, 51_000) < 1e-9
