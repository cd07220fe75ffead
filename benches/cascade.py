"""Cascades on real answers, and whether promises are kept: `python -m benches cascade [--run DIR] [--splits N]`.

Without a run, word counts and sentence embeddings answer BANKING77's 3,080 test texts, after learning from its training
texts: a few minutes. For every pair in which the first is the less accurate and gives probabilities, thresholds are
chosen on one random half of the items, whole groups at a time, and looked at on the other half, many times. What is
promised is the accuracy of everything that the items stand for: it counts as kept where groups that are drawn one by
one, as many as a half has, choose a threshold above which all items together are right as often as was promised. On the
other half it is kept less often, which has chance of its own and is poorer in what the first half is richer in.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

from benches.items import FILES, data_folder
from benches.table import count, markdown_table, progress, versions_line
from data.common.errors import MissingResourceError
from eval.measures.cascade import PROMISES
from eval.measures.cascade_pair import CascadePair, Member, pair_of
from eval.measures.resampling import number_clusters
from eval.measures.run_answers import read_answers
from eval.measures.thresholds import promised, without_loss

SPLITS = 1000


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or _new_run(Path(folder))
        rows, promises = [], []
        for pair in _pairs(run):
            progress(f"{pair.first.name}, then {pair.second.name}: {options.splits:,} splits")
            rows.append(_without_loss_row(pair, options.splits))
            promises += [_promise_row(pair, accuracy, options.splits) for accuracy in PROMISES]
    print(
        f"Cascades of recorded answers, {options.splits:,} random halves; {versions_line(['numpy', 'scikit-learn'])}\n"
    )
    columns = [
        "first (right)",
        "second (right)",
        "items",
        "at best",
        "passed on",
        "difference on the other half",
        "below",
    ]
    print(markdown_table(columns, rows))
    print("\nThe middle 95 % of the splits; below: splits in which it was more than 2 points worse than the second.\n")
    columns = ["first", "promised", "kept", "no promise", "answered alone", "right of these", "kept on the other half"]
    print(markdown_table(columns, list(dict.fromkeys(map(tuple, promises)))))


def _new_run(folder: Path) -> Path:
    from eval.api import Suite, evaluate

    data = data_folder()
    if data is None:
        raise MissingResourceError(f"the set banking77 needs TUNE_OR_PROMPT_DATA, a folder with {FILES['banking77']}")
    systems = [{"name": name, "baseline": name} for name in ("tfidf", "nearest")]
    benchmark = str((data / FILES["banking77"]).parent)
    suite = {"name": "cascade", "evaluations": [{"benchmark": benchmark, "systems": systems}]}
    return evaluate(Suite.model_validate(suite), out=folder / "run").path


def _pairs(run: Path) -> Iterator[CascadePair]:
    """Yield every pair of which the first gives probabilities and is the less accurate."""
    _, manifest, evaluations = read_answers(run)
    for answers in evaluations:
        parts = [name for name in answers if manifest.systems[name].cascade is None]
        for first, second in permutations(parts, 2):
            members = (Member(name, answers[name].predictions, None) for name in (first, second))
            pair = pair_of(*members)
            if pair is not None and not pair.is_first_better:
                yield pair


def _halves(pair: CascadePair, splits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the places of two random halves, whole groups at a time."""
    clusters, n_clusters = number_clusters(pair.groups)
    rng = np.random.default_rng(0)
    for _ in range(splits):
        is_chosen = (rng.permutation(n_clusters) < n_clusters // 2)[clusters]
        yield np.flatnonzero(is_chosen), np.flatnonzero(~is_chosen)


def _kept(pair: CascadePair, accuracy: float, draws: int) -> float:
    """Return how often a promise holds of all items, where groups are drawn from them one by one."""
    clusters, n_clusters = number_clusters(pair.groups)
    of_cluster = [np.flatnonzero(clusters == number) for number in range(n_clusters)]
    rng, kept = np.random.default_rng(1), 0
    for _ in range(draws):
        drawn = [of_cluster[number] for number in rng.integers(0, n_clusters, n_clusters // 2)]
        places = np.concatenate(drawn)
        groups = np.repeat(np.arange(len(drawn)), [len(one) for one in drawn])
        alone = pair.confidence >= promised(pair.confidence[places], pair.right_first[places], groups, accuracy)
        kept += bool(not alone.any() or pair.right_first[alone].mean() >= accuracy)
    return kept / draws


def _without_loss_row(pair: CascadePair, splits: int) -> list[str]:
    passed, differences = [], []
    for chosen_on, other in _halves(pair, splits):
        threshold = without_loss(pair.confidence[chosen_on], pair.gained[chosen_on])
        alone = pair.confidence[other] >= threshold
        passed.append(1 - alone.mean())
        differences.append(pair.gained[other][alone].sum() / len(other))
    low, high = np.quantile(differences, [0.025, 0.975])
    return [
        f"{pair.first.name} ({pair.right_first.mean():.1%})",
        f"{pair.second.name} ({pair.right_second.mean():.1%})",
        f"{len(pair.groups):,}",
        f"{(pair.right_first | pair.right_second).mean():.1%}",
        f"{np.mean(passed):.1%}",
        f"{100 * np.mean(differences):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})",
        f"{np.mean(np.array(differences) < -0.02):.1%}",
    ]


def _promise_row(pair: CascadePair, accuracy: float, splits: int) -> list[str]:
    answered, right = [], []
    for chosen_on, other in _halves(pair, splits):
        groups = pair.groups[chosen_on]
        threshold = promised(pair.confidence[chosen_on], pair.right_first[chosen_on], groups, accuracy)
        alone = pair.confidence[other] >= threshold
        answered.append(alone.mean())
        right.append(pair.right_first[other][alone].mean() if alone.any() else np.nan)
    shares = np.array(right)
    none = np.isnan(shares)
    return [
        pair.first.name,
        f"{accuracy:.0%}",
        f"{_kept(pair, accuracy, splits):.1%}",
        f"{none.mean():.1%}",
        f"{np.mean(answered):.1%}",
        "–" if none.all() else f"{np.nanmean(shares):.1%}",
        f"{(none | (shares >= accuracy)).mean():.1%}",
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches cascade", description=__doc__)
    parser.add_argument("--run", type=Path, metavar="DIR", help="a run of two systems or more; default: a new one")
    parser.add_argument("--splits", type=count, default=SPLITS, metavar="N", help=f"random halves (default {SPLITS})")
    return parser.parse_args(arguments)
