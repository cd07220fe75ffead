"""Wrong labels that are planted, and how many of them the audit finds: `python -m benches audit [--seeds N] …`.

Of the rows of a labelled file some get another label, drawn at random from all others, with several seeds. The table
says what share of them stands among the first rows of the audit, twice as many as were planted, by each learner and by
the mean of both; the estimated share of wrong labels, those that were wrong before included; and how many seconds of
the processor it took. Labels of the file that were wrong before count as false alarms here.
"""

import argparse
import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benches.items import data_folder
from benches.table import count, markdown_table, progress, versions_line
from data.common.errors import MissingResourceError
from data.registry import benchmark, labelled_rows
from data.types import Item
from eval.plan.baselines import default_embeddings
from eval.plan.label_audit import LabelAudit, Learner, audit_probabilities, embedded, label_folds, out_of_fold
from eval.plan.learners import nearest, tfidf

SOURCE = "own/banking77/train.csv"


class Planted(NamedTuple):
    """Items of which some carry a wrong label.

    Attributes:
        places: Where those are.
    """

    items: list[Item]
    places: set[int]


def plant(items: Sequence[Item], n: int, *, seed: int) -> Planted:
    """Give n of the items another label, drawn from all others.

    Args:
        items: They share their labels.
        n: At most as many as there are items.
        seed: The same seed plants the same labels.
    """
    draw = random.Random(seed)
    places = set(draw.sample(range(len(items)), n))
    planted = list(items)
    for place in sorted(places):
        item = items[place]
        others = [target for target in range(len(item.choices)) if target != item.target]
        planted[place] = item.model_copy(update={"target": draw.choice(others)})
    return Planted(planted, places)


def recall(audit: LabelAudit, places: set[int], *, first: int) -> float:
    """Return the share of the planted labels among the first rows of an audit."""
    return len(places & set(audit.order[:first].tolist())) / len(places)


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benches audit", description=__doc__)
    parser.add_argument("file", nargs="?", help=f"a labelled file; default: {SOURCE} of TUNE_OR_PROMPT_DATA")
    parser.add_argument("--planted", type=count, default=200, metavar="N", help="wrong labels; default: 200")
    parser.add_argument("--seeds", type=count, default=3, metavar="N", help="how often; default: 3")
    parser.add_argument("--learners", nargs="+", choices=["nearest", "tfidf"], default=["nearest", "tfidf"])
    parser.add_argument("--columns", nargs="+", default=[], help="the names of the columns of a file without a header")
    options = parser.parse_args(arguments)
    file = options.file or str(_source())
    card = {"columns": options.columns} if options.columns else None
    items = [row.item for row in labelled_rows(file, card=card)]
    embeddings = default_embeddings(benchmark(file, card=card).language)
    learners: dict[str, Learner] = {}
    started = time.process_time()
    if "nearest" in options.learners:
        learners["nearest"] = partial(nearest, embed=embedded(items, embeddings))
    spent = time.process_time() - started
    if "tfidf" in options.learners:
        learners["tfidf"] = tfidf
    planting = f"{options.planted} wrong labels planted among {len(items):,} rows of {len(items[0].choices)} labels"
    print(
        f"{Path(file).name}: {planting}; {embeddings}, {spent:.0f} CPU s to embed; {versions_line(['scikit-learn'])}\n"
    )
    rows = []
    for seed in range(options.seeds):
        planted = plant(items, options.planted, seed=seed)
        rows += _rows(planted, learners, seed=seed)
    columns = ["learner", "seed", "found in the first N", "in the first 2 N", "doubtful", "estimated wrong", "CPU s"]
    print(markdown_table(columns, rows))


def _rows(planted: Planted, learners: Mapping[str, Learner], *, seed: int) -> list[list[str]]:
    folds, n = label_folds(planted.items, seed=seed), len(planted.places)
    probs, rows, total = [], [], 0.0
    for name, learner in learners.items():
        started = time.process_time()
        probs.append(out_of_fold(planted.items, folds, learner, name=name))
        seconds = time.process_time() - started
        total += seconds
        rows.append(_row(name, planted, audit_probabilities(planted.items, probs[-1], folds), seed, n, seconds))
    if len(probs) > 1:
        audit = audit_probabilities(planted.items, np.mean(probs, axis=0), folds)
        rows.append(_row("both", planted, audit, seed, n, total))
    return rows


def _row(name: str, planted: Planted, audit: LabelAudit, seed: int, n: int, seconds: float) -> list[str]:
    shares = [f"{100 * recall(audit, planted.places, first=first):.1f} %" for first in (n, 2 * n)]
    low, high = audit.interval or (0.0, 1.0)
    estimated = f"{100 * audit.wrong:.1f} % ({100 * low:.1f}–{100 * high:.1f})"
    progress(f"seed {seed}, {name}: {shares[1]} in the first {2 * n}")
    return [name, str(seed), *shares, f"{int(audit.doubtful.sum()):,}", estimated, f"{seconds:.0f}"]


def _source() -> Path:
    folder = data_folder()
    if folder is None:
        raise MissingResourceError(f"the bench needs TUNE_OR_PROMPT_DATA, a folder with {SOURCE}, or a file")
    return folder / SOURCE
