"""What should the head read: [CLS], or what is pooled from all tokens? `python -m benches pooling` trains each way.

Everything but the pooling is the same for each of three seeds: encoder, head, pairs, order, steps. Differences from
[CLS] are paired over the validation items, averaged over the seeds, with a cluster bootstrap interval, which does not
hold what other seeds would change. Reads the data that `benches.training` reads.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benches.training import SEEDS, SETTINGS, mnli_items, our_trainer
from data.common.hub import quiet_transformers
from data.labels import label_ids
from data.registry import benchmark
from data.types import Item
from eval.measures.stats import paired_difference_interval, share_interval
from finetune.config import TrainSettings
from finetune.pooling import POOLINGS

PAIRS = 3200


def correctness(settings: TrainSettings, learnt: Sequence[Item], evaluated: Sequence[Item]) -> np.ndarray:
    """Train once, and return for each evaluated item whether it is answered right, (n,) of 0 and 1."""
    labels = list(benchmark("mnli").labels or ())
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        trainer = our_trainer(settings, learnt, labels, Path(folder))
        trainer.train()
        trainer.measure(evaluated)
    right: np.ndarray = trainer.probs.argmax(axis=1) == np.array(label_ids(evaluated, labels))
    return right.astype(np.float64)


def main() -> None:
    """Print the table."""
    learnt, evaluated = mnli_items(PAIRS)
    right: dict[str, list[np.ndarray]] = {pooling: [] for pooling in POOLINGS}
    for seed in SEEDS:
        for pooling in POOLINGS:
            settings = SETTINGS.model_copy(update={"seed": seed, "pooling": pooling})
            right[pooling].append(correctness(settings, learnt, evaluated))
            print(f"seed {seed}, {pooling}: {100 * right[pooling][-1].mean():.2f} %", file=sys.stderr)
    print_table(right, evaluated, n_learnt=len(learnt))


def print_table(right: dict[str, list[np.ndarray]], evaluated: Sequence[Item], *, n_learnt: int) -> None:
    """Print accuracies and their differences from [CLS]."""
    groups, ones = [item.group for item in evaluated], np.ones(len(evaluated))
    means = {pooling: np.mean(runs, axis=0) for pooling, runs in right.items()}  # (n,) each
    print(f"\nMiniLM (22M) on {n_learnt} pairs, {len(SEEDS)} seeds, {len(evaluated)} answered\n")
    print("| the head reads | accuracy (95 %) | of each seed | against [CLS], points (95 %) |\n|---|---|---|---|")
    for pooling, mean in means.items():
        own = share_interval(mean, ones, groups)
        apart = paired_difference_interval(mean - means["cls"], ones, groups) if pooling != "cls" else None
        difference = f"{100 * (mean - means['cls']).mean():+.2f} ({span(apart)})" if apart else "–"
        each = ", ".join(f"{100 * run.mean():.2f}" for run in right[pooling])
        print(f"| {pooling} | {100 * mean.mean():.2f} % ({span(own)}) | {each} | {difference} |")
    print()


def span(interval: tuple[float, float] | None) -> str:
    """Write an interval of shares in points."""
    return "–" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}"
