import json
import math

import numpy as np
import pytest

from eval.cli.parser import main
from eval.measures.paired_tests import mcnemar_midp
from eval.measures.power import minimum_detectable_difference, reach_sentence


@pytest.mark.parametrize("n", [45, 150, 1000])
def test_the_detectable_difference_is_found_four_times_in_five(n):
    rng = np.random.default_rng(2)
    difference = minimum_detectable_difference(n)
    won_share = (0.3 + difference) / 2
    counts = rng.multinomial(n, [won_share, 0.3 - won_share, 0.7], 3000)
    found = np.mean([mcnemar_midp(int(won), int(lost)) < 0.05 for won, lost, _ in counts])
    assert 0.75 < found < 0.85


def test_an_exam_cannot_separate_systems_ten_points_apart():
    assert minimum_detectable_difference(45) > 0.2


def test_too_few_items_find_nothing():
    assert minimum_detectable_difference(20) is None
    assert minimum_detectable_difference(1) is None


def test_more_items_find_smaller_differences():
    found = [minimum_detectable_difference(n) for n in (50, 100, 1000, 9815)]
    assert found == sorted(found, reverse=True)
    assert all(0 < one < math.inf for one in found)


def test_the_sentence_says_what_it_assumes():
    said = reach_sentence(45, n_groups=11, n_systems=2)
    smallest = 100 * minimum_detectable_difference(45)
    assert said.startswith(
        f"With 45 items, a true difference below about {smallest:.1f} percentage points would be missed"
    )
    assert "taken as independent; that they share context usually raises it" in said
    assert "share context" not in reach_sentence(45, n_groups=45, n_systems=2)
    assert "Holm" not in said


def test_one_difference_among_many_pairs_takes_more():
    said = reach_sentence(1000, n_groups=1000, n_systems=5)
    alone = 100 * minimum_detectable_difference(1000, alpha=0.05 / 10)
    assert f"among all 10 pairs, adjusted by Holm, it takes about {alone:.1f}" in said
    assert "it takes more than 30" in reach_sentence(40, n_groups=40, n_systems=9)


def test_one_system_is_compared_with_nothing():
    assert reach_sentence(45, n_groups=11, n_systems=1) == ""


SUITE = """
name: two-rules
evaluations:
  - benchmark: kice
    split: sample
    systems:
      - {name: third, baseline: always-3}
      - {name: first, baseline: always-1}
"""


def test_the_user_is_told_before_a_run_and_in_its_report(tmp_path, capsys):
    suite, run = tmp_path / "two.yaml", tmp_path / "run"
    suite.write_text(SUITE)
    assert main(["run", str(suite), "--dry-run", "--json"]) == 0
    (planned,) = json.loads(capsys.readouterr().out)["reach"]
    assert main(["run", str(suite), "--dry-run"]) == 0
    assert planned in capsys.readouterr().out
    assert main(["run", str(suite), "--out", str(run)]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("kice: differences below 30.0 points are easily missed\n")
    assert planned.startswith("kice: With ")
    assert planned.removeprefix("kice: ") in (run / "report.md").read_text(encoding="utf-8")
