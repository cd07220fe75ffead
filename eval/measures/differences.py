"""Which of two systems is better on the same items: paired, with an interval, a p-value and the items won and lost.

Two run directories in (or one), one `Comparison` a pair out. Comparing answers to different items says nothing,
so runs whose items differ are refused with what differs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.common.errors import ConfigurationError
from data.types import Frozen, Record
from eval.measures.metrics import NO_ANSWER
from eval.measures.run_difference import what_differs
from eval.measures.stats import LEVEL, Interval, holm, is_outside, mcnemar_midp, paired_difference_interval
from eval.rundir.description import role_of
from eval.rundir.journal import Evaluation, Manifest, latest_records, read_manifest, records_path
from eval.rundir.run_check import read_run


class Asked(NamedTuple):
    """One evaluation of a run that is compared; `prefix` stands before its systems' names where there are two runs."""

    prefix: str
    run_dir: Path
    manifest: Manifest
    evaluation: Evaluation


@dataclass(frozen=True)
class Answers:
    """The columns that a comparison needs, one row a prediction; small enough to keep for every system of a run.

    Attributes:
        ids: (n,) item ids.
        groups: (n,) cluster of each item.
        targets: (n,) int.
        choices: (n,) int, NO_ANSWER where nothing usable was said.
        weights: (n,) points.
        tags: (n,) section, question type, genre.
        blank_ids: Ids of the items to which the system said nothing at all.
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    targets: np.ndarray
    choices: np.ndarray
    weights: np.ndarray
    tags: tuple[tuple[str, ...], ...]
    blank_ids: frozenset[str] = frozenset()

    @property
    def correct(self) -> np.ndarray:
        """(n,) bool."""
        right: np.ndarray = self.targets == self.choices
        return right

    @property
    def correct_at_best(self) -> np.ndarray:
        """(n,) bool, as if all to which nothing was said had been answered rightly."""
        at_best: np.ndarray = self.correct | np.array([item_id in self.blank_ids for item_id in self.ids], dtype=bool)
        return at_best


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
        p_holm: The same, adjusted for every pair of the evaluation that was compared with it.
        won: Ids of the items that only a got right.
        lost: Ids of the items that only b got right.
        both_right: How many items both got right.
        both_wrong: How many items both got wrong.
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

    @property
    def distinguishable(self) -> bool:
        """Whether both tests agree: the adjusted p-value, and the interval that knows of the clusters."""
        if self.interval is None or self.unsettled:
            return False
        return self.p_holm < LEVEL and (self.interval.low > 0 or self.interval.high < 0)


def read_answers(records: Iterable[Record]) -> Answers:
    """Take the columns out of the records that hold a prediction."""
    rows = [(r.item, r.prediction) for r in records if r.prediction is not None]
    return Answers(
        ids=tuple(item.id for item, _ in rows),
        groups=tuple(item.group for item, _ in rows),
        targets=np.array([item.target for item, _ in rows], dtype=np.int64),
        choices=np.array([NO_ANSWER if p.choice is None else p.choice for _, p in rows], dtype=np.int64),
        weights=np.array([item.weight for item, _ in rows], dtype=np.float64),
        tags=tuple(item.tags for item, _ in rows),
        blank_ids=frozenset(item.id for item, prediction in rows if prediction.is_blank),
    )


def compare(run_a: Path, run_b: Path | None = None) -> tuple[Comparison, ...]:
    """Compare the systems of one run, or those of two runs over the same items.

    Within a run every pair of an evaluation is compared. Between two runs, systems of the same name are compared with
    each other, and the trained systems of either with the prompted ones of the other, whose costs are compared too;
    where the runs share no name, every system of the one with every one of the other.

    Raises:
        MissingResourceError: A folder is no run.
        ConfigurationError: The runs have no benchmark in common, their items differ, or nothing was answered; or a
            file of one is damaged.
    """
    for run_dir in filter(None, (run_a, run_b)):
        read_run(run_dir)
    found: list[Comparison] = []
    for group in evaluation_groups(run_a, run_b):
        answers = [_answers(asked.run_dir, asked.evaluation) for asked in group]
        evaluation = group[0].evaluation
        if run_b is None:
            found += compare_all(answers[0], evaluation=evaluation)
        else:
            names = _names_across(*group)
            pairs = [((f"A/{a}", answers[0][a]), (f"B/{b}", answers[1][b])) for a, b in names]
            found += _compare_pairs(pairs, evaluation)
    if not found:
        raise ConfigurationError(f"{run_a}: there are no two systems with answers to the same items to compare")
    return tuple(found)


def evaluation_groups(run_a: Path, run_b: Path | None = None) -> list[list[Asked]]:
    """Return each evaluation of a run alone, or with the one of another run over the same items.

    Raises:
        MissingResourceError: A folder is no run.
        ConfigurationError: The runs have no benchmark in common, or their items differ.
    """
    manifest_a = read_manifest(run_a)
    if run_b is None:
        return [[Asked("", run_a, manifest_a, evaluation)] for evaluation in manifest_a.evaluations]
    manifest_b = read_manifest(run_b)
    pairs = _same_items((run_a, manifest_a), (run_b, manifest_b))
    return [[Asked("A/", run_a, manifest_a, ours), Asked("B/", run_b, manifest_b, theirs)] for ours, theirs in pairs]


def compare_all(answers: Mapping[str, Answers], *, evaluation: Evaluation) -> list[Comparison]:
    """Compare every pair of systems of one evaluation, the later minus the earlier, with Holm's adjustment over all.

    Args:
        answers: By system name.
        evaluation: What they answered.
    """
    pairs = [((later, answers[later]), (name, answers[name])) for name, later in combinations(answers, 2)]
    return _compare_pairs(pairs, evaluation)


def to_json(comparisons: Sequence[Comparison], **more: Any) -> str:
    """Return the comparisons as one JSON object, for `--json`, with what else is to stand in it by name."""
    content = {"comparisons": [one.model_dump(mode="json") for one in comparisons], **more}
    return json.dumps(content, ensure_ascii=False, indent=2)


def _names_across(ours: Asked, theirs: Asked) -> list[tuple[str, str]]:
    """Return which systems of two runs are compared, those of the same name first."""
    names = [(name, name) for name in ours.evaluation.systems if name in theirs.evaluation.systems]
    if not names:
        return list(product(ours.evaluation.systems, theirs.evaluation.systems))
    roles = [
        {name: role_of(asked.manifest.systems[name]) for name in asked.evaluation.systems} for asked in (ours, theirs)
    ]
    against = {"trained", "prompted"}
    across = [(a, b) for a, b in product(*roles) if {roles[0][a], roles[1][b]} == against]
    return [*names, *(pair for pair in across if pair not in names)]


def _compare_pairs(
    pairs: Sequence[tuple[tuple[str, Answers], tuple[str, Answers]]], evaluation: Evaluation
) -> list[Comparison]:
    compared = [_compare_pair(a, b, evaluation=evaluation) for a, b in pairs]
    kept = [one for one in compared if one is not None]
    adjusted = holm([one.p for one in kept])
    return [one.model_copy(update={"p_holm": p}) for one, p in zip(kept, adjusted, strict=True)]


def _compare_pair(
    named_a: tuple[str, Answers], named_b: tuple[str, Answers], *, evaluation: Evaluation
) -> Comparison | None:
    (name_a, a), (name_b, b) = named_a, named_b
    place_b = {item_id: place for place, item_id in enumerate(b.ids)}
    rows = [(place, place_b[item_id]) for place, item_id in enumerate(a.ids) if item_id in place_b]
    if not rows:
        return None
    in_a, in_b = np.array(rows).T
    right_a, right_b, weights = a.correct[in_a], b.correct[in_b], a.weights[in_a]
    ids, groups = [a.ids[place] for place in in_a], [a.groups[place] for place in in_a]
    gained = right_a.astype(np.int64) - right_b
    won = tuple(item_id for item_id, gain in zip(ids, gained, strict=True) if gain > 0)
    lost = tuple(item_id for item_id, gain in zip(ids, gained, strict=True) if gain < 0)
    p = mcnemar_midp(len(won), len(lost))
    interval = paired_difference_interval(gained, np.ones(len(ids)), groups)
    best_a, best_b = a.correct_at_best[in_a], b.correct_at_best[in_b]
    at_best = (best_a.mean() - right_b.mean(), right_a.mean() - best_b.mean())  # each side in turn
    return Comparison(
        benchmark=evaluation.benchmark,
        a=name_a,
        b=name_b,
        n=len(ids),
        n_left_out=evaluation.n_items - len(ids),
        n_clusters=len(set(groups)),
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
        unsettled=bool(a.blank_ids or b.blank_ids) and any(is_outside(difference, interval) for difference in at_best),
    )


def _answers(run_dir: Path, evaluation: Evaluation) -> dict[str, Answers]:
    paths = {name: records_path(run_dir, name) for name in evaluation.systems}
    return {name: read_answers(latest_records(path, texts=False).values()) for name, path in paths.items()}


def _same_items(a: tuple[Path, Manifest], b: tuple[Path, Manifest]) -> list[tuple[Evaluation, Evaluation]]:
    """Pair up the evaluations of two runs that ask the same items; refuse a shared benchmark with other items."""
    (run_a, manifest_a), (run_b, manifest_b) = a, b
    pairs = []
    for ours in manifest_a.evaluations:
        candidates = [theirs for theirs in manifest_b.evaluations if theirs.benchmark == ours.benchmark]
        same = [theirs for theirs in candidates if theirs.fingerprint == ours.fingerprint]
        if same:
            pairs.append((ours, same[0]))
        elif candidates:
            raise ConfigurationError(what_differs((run_a, ours), (run_b, candidates[0])))
    if not pairs:
        names_a, names_b = (
            ", ".join(e.benchmark for e in manifest.evaluations) for manifest in (manifest_a, manifest_b)
        )
        raise ConfigurationError(
            f"{run_a} ({names_a}) and {run_b} ({names_b}) share no benchmark; compare runs over the same items"
        )
    return pairs
