"""Which of two systems is better on the same items: paired, with an interval, a p-value and the items won and lost.

The answers of one run or of two in, one `Comparison` a pair out. Comparing answers to different items says nothing,
so runs whose items differ are refused with what differs.
"""

import json
import operator
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from data.common.errors import ConfigurationError
from data.types import Frozen
from eval.measures.answers import Answers, common_rows, on_common_items
from eval.measures.paired_tests import holm, mcnemar_midp
from eval.measures.run_answers import RunAnswers
from eval.measures.run_difference import what_differs
from eval.measures.sequential import Decided, Drawn, drawn_of, gains_by_group, pair_interval, pair_tests
from eval.measures.stats import LEVEL, Interval, is_outside, paired_difference_intervals
from eval.rundir.description import role_of
from eval.rundir.manifest import Evaluation


class ComparedEvaluation(NamedTuple):
    """One evaluation of a run that is compared; `prefix` stands before its systems' names where there are two runs."""

    prefix: str
    run: RunAnswers
    evaluation: Evaluation
    answers: dict[str, Answers]


class Comparison(Frozen):
    """System `a` against system `b` over the items for which both hold a prediction.

    Attributes:
        n: Items compared.
        n_left_out: Items of the evaluation that one of the two has no prediction for.
        n_clusters: Groups among the compared items.
        difference: Accuracy of a minus accuracy of b.
        interval: 95 % cluster bootstrap interval of it; None where all items are one cluster.
        points_difference: Points of a minus points of b, of `points_possible`.
        p: Mid-p McNemar.
        headline: Whether it is one of the pairs that a run is about, see `eval.measures.headline`.
        p_holm: The same, adjusted for the headline pairs where it is one of them, else for all pairs of the evaluation.
        won: Ids of the items that only a got right.
        lost: Ids of the items that only b got right.
        both_right: How many items both got right.
        both_wrong: How many items both got wrong.
        at_any_time: Whether the interval and the p-values hold whenever one looks, as in a run that may end early; then
            `p` is 1 / an e-value, `p_holm` is adjusted by a closed test, and `n_left_out` counts failed calls alone.
        decided: What was decided of such a pair: "a" or "b" where that one is shown to be better, "equal"
            where they are shown to differ by less than the margin, None where neither is shown.
        n_decided: The items after which it was decided.
        unsettled: Whether it hangs on replies without any text, which count as wrong and tell nothing: had those of
            one side been right, the difference would be outside of its interval.
    """

    benchmark: str
    a: str
    b: str
    n: int
    n_left_out: int
    n_clusters: int
    accuracy_a: float
    accuracy_b: float
    difference: float
    interval: Interval | None
    points_difference: float
    points_possible: float
    p: float
    p_holm: float
    won: tuple[str, ...]
    lost: tuple[str, ...]
    both_right: int
    both_wrong: int
    unsettled: bool = False
    headline: bool = Field(default=False, exclude_if=operator.not_)
    at_any_time: bool = Field(default=False, exclude_if=operator.not_)
    decided: Decided | None = Field(default=None, exclude_if=lambda decided: decided is None)
    n_decided: int | None = Field(default=None, exclude_if=lambda n: n is None)

    @property
    def distinguishable(self) -> bool:
        """Whether both tests agree: the adjusted p-value, and the interval that knows of the clusters."""
        if self.interval is None or self.unsettled:
            return False
        if self.at_any_time:
            return self.decided in ("a", "b")
        return self.p_holm < LEVEL and (self.interval.low > 0 or self.interval.high < 0)


def compare(run_a: RunAnswers, run_b: RunAnswers | None = None) -> tuple[Comparison, ...]:
    """Compare the systems of one run, or those of two runs over the same items.

    Within a run every pair of an evaluation is compared. Between two runs, systems of the same name are compared with
    each other, and the trained systems of either with the prompted ones of the other, whose costs are compared too;
    where the runs share no name, every system of the one with every one of the other.

    Raises:
        ConfigurationError: The runs have no benchmark in common, their items differ, or nothing was answered.
    """
    found: list[Comparison] = []
    for group in evaluation_groups(run_a, run_b):
        ours, evaluation = group[0].answers, group[0].evaluation
        drawn = next((one for one in (drawn_of(side.run.manifest, side.evaluation) for side in group) if one), None)
        if len(group) == 1:
            found += compare_all(ours, evaluation=evaluation, drawn=drawn)
        else:
            theirs = group[1].answers
            pairs = [((f"A/{a}", ours[a]), (f"B/{b}", theirs[b])) for a, b in _names_across(*group)]
            found += _compare_pairs(pairs, evaluation, drawn)
    if not found:
        raise ConfigurationError(f"{run_a.run_dir}: there are no two systems with answers to the same items to compare")
    return tuple(found)


def evaluation_groups(run_a: RunAnswers, run_b: RunAnswers | None = None) -> list[list[ComparedEvaluation]]:
    """Return each evaluation of a run alone, or with the one of another run over the same items.

    Raises:
        ConfigurationError: The runs have no benchmark in common, or their items differ.
    """
    if run_b is None:
        return [[one] for one in _evaluations(run_a, "")]
    pairs = []
    for ours in _evaluations(run_a, "A/"):
        candidates = [one for one in _evaluations(run_b, "B/") if one.evaluation.benchmark == ours.evaluation.benchmark]
        same = [one for one in candidates if one.evaluation.fingerprint == ours.evaluation.fingerprint]
        if same:
            pairs.append([ours, same[0]])
        elif candidates:
            raise ConfigurationError(what_differs(ours[1:], candidates[0][1:]))
    if not pairs:
        (names_a, names_b) = (", ".join(one.benchmark for one in run.manifest.evaluations) for run in (run_a, run_b))
        raise ConfigurationError(
            f"{run_a.run_dir} ({names_a}) and {run_b.run_dir} ({names_b}) share no benchmark; compare runs over the "
            "same items"
        )
    return pairs


def _evaluations(run: RunAnswers, prefix: str) -> list[ComparedEvaluation]:
    return [
        ComparedEvaluation(prefix, run, evaluation, answers)
        for evaluation, answers in zip(run.manifest.evaluations, run.evaluations, strict=True)
    ]


def compare_all(
    answers: Mapping[str, Answers], *, evaluation: Evaluation, drawn: Drawn | None = None
) -> list[Comparison]:
    """Compare every pair of systems of one evaluation, the later minus the earlier, with Holm's adjustment over all.

    Args:
        answers: The answers, by the system's name.
        evaluation: What they answered.
        drawn: How its items were drawn, where the run may end early.
    """
    pairs = [((later, answers[later]), (name, answers[name])) for name, later in combinations(answers, 2)]
    return _compare_pairs(pairs, evaluation, drawn)


def to_json(comparisons: Sequence[Comparison], **more: Any) -> str:
    """Return the comparisons as one JSON object, for `--json`, with what else is to stand in it by name."""
    content = {"comparisons": [one.model_dump(mode="json") for one in comparisons], **more}
    return json.dumps(content, ensure_ascii=False, indent=2)


def _names_across(ours: ComparedEvaluation, theirs: ComparedEvaluation) -> list[tuple[str, str]]:
    """Return which systems of two runs are compared, those of the same name first."""
    names = [(name, name) for name in ours.evaluation.systems if name in theirs.evaluation.systems]
    if not names:
        return list(product(ours.evaluation.systems, theirs.evaluation.systems))
    roles = [
        {name: role_of(one.run.manifest.systems[name]) for name in one.evaluation.systems} for one in (ours, theirs)
    ]
    against = {"trained", "prompted"}
    across = [(a, b) for a, b in product(*roles) if {roles[0][a], roles[1][b]} == against]
    return [*names, *(pair for pair in across if pair not in names)]


def _compare_pairs(
    pairs: Sequence[tuple[tuple[str, Answers], tuple[str, Answers]]], evaluation: Evaluation, drawn: Drawn | None
) -> list[Comparison]:
    shared = [_Pair(a, b, *_on_shared_items(answers_a, answers_b)) for (a, answers_a), (b, answers_b) in pairs]
    kept = [pair for pair in shared if len(pair.answers_a)]
    if drawn is not None:
        return _compare_at_any_time(kept, evaluation, drawn)
    of_items: dict[bytes, list[int]] = {}  # pairs over the same items: their clusters are drawn once
    for place, pair in enumerate(kept):
        of_items.setdefault(pair.answers_a.rows["item"].tobytes(), []).append(place)
    intervals: dict[int, Interval | None] = {}
    for places in of_items.values():
        answers = kept[places[0]].answers_a
        gained = np.stack([kept[place].gained for place in places])
        found = paired_difference_intervals(gained, np.ones(len(answers)), answers.groups)
        intervals |= dict(zip(places, found, strict=True))
    compared = [_compare_pair(pair, intervals[place], evaluation) for place, pair in enumerate(kept)]
    adjusted = holm([one.p for one in compared])
    return [one.model_copy(update={"p_holm": p}) for one, p in zip(compared, adjusted, strict=True)]


def _compare_at_any_time(pairs: Sequence["_Pair"], evaluation: Evaluation, drawn: Drawn) -> list[Comparison]:
    """Compare pairs by tests and intervals that hold although the run ended because of what it showed."""
    order = drawn.order(name for pair in pairs for name in pair.answers_a.items.group_names)
    places, gains = {name: place for place, name in enumerate(order)}, []
    for pair in pairs:
        names = pair.answers_a.items.group_names
        ranks = np.array([places[name] for name in names], dtype=np.int64)[pair.answers_a.groups]
        gains.append(gains_by_group(pair.gained, ranks, n_groups=len(order)))
    largest = max((int(one.sizes.max()) for one in gains), default=1)
    drawn = drawn._replace(largest=max(drawn.largest, largest))  # a manifest may have been edited
    compared = []
    for pair, one, tested in zip(pairs, gains, pair_tests(gains, drawn), strict=True):
        compared.append(
            _compare_pair(pair, pair_interval(one, tested, drawn), evaluation).model_copy(
                update={
                    "n_left_out": pair.n_failed,
                    "p": tested.p,
                    "p_holm": tested.p_adjusted,
                    "at_any_time": True,
                    "decided": tested.decided,
                    "n_decided": tested.n_decided,
                }
            )
        )
    return compared


class _Pair(NamedTuple):
    """Two systems; the answers are those to the items that both have a prediction for, in the same order.

    Attributes:
        has_blank: Whether either says nothing to any item.
        n_failed: Items that both were asked and one has no prediction for.
    """

    a: str
    b: str
    answers_a: Answers
    answers_b: Answers
    has_blank: bool
    n_failed: int

    @property
    def gained(self) -> np.ndarray:
        """(n,) 1 where only a is right, -1 where only b is, else 0."""
        gained: np.ndarray = self.answers_a.correct.astype(np.int64) - self.answers_b.correct
        return gained


def _on_shared_items(a: Answers, b: Answers) -> tuple[Answers, Answers, bool, int]:
    """Return what a `_Pair` holds of the answers of its systems."""
    both = a.predictions, b.predictions
    ours, theirs = on_common_items(both)
    has_blank = any(bool(one.rows["blank"].any()) for one in both)
    return ours, theirs, has_blank, len(common_rows((a, b))[0]) - len(ours)


def _compare_pair(pair: _Pair, interval: Interval | None, evaluation: Evaluation) -> Comparison:
    a, b, gained = pair.answers_a, pair.answers_b, pair.gained
    right_a, right_b, weights = a.correct, b.correct, a.weights
    won, lost = (tuple(a.ids_of(a.rows["item"][one])) for one in (gained > 0, gained < 0))
    p = mcnemar_midp(len(won), len(lost))
    at_best = (a.correct_at_best.mean() - right_b.mean(), right_a.mean() - b.correct_at_best.mean())  # each in turn
    return Comparison(
        benchmark=evaluation.benchmark,
        a=pair.a,
        b=pair.b,
        n=len(a),
        n_left_out=evaluation.n_items - len(a),
        n_clusters=len(np.unique(a.groups)),
        accuracy_a=float(right_a.mean()),
        accuracy_b=float(right_b.mean()),
        difference=float(gained.mean()),
        interval=interval,
        points_difference=float((gained * weights).sum()),
        points_possible=float(weights.sum()),
        p=p,
        p_holm=p,
        won=won,
        lost=lost,
        both_right=int((right_a & right_b).sum()),
        both_wrong=int((~right_a & ~right_b).sum()),
        unsettled=pair.has_blank and any(is_outside(difference, interval) for difference in at_best),
    )
