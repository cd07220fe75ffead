"""A real encoder learns real texts, from a head that knows nothing and from one that is fitted first.

The shipped sample's twelve intents on packaged weights: word counts reach 94 %, so what reads no text, or stays at its
first step, is told from what learns.
"""

from pathlib import Path

import pytest

from data.registry import benchmark, load_items
from finetune.config import make_settings
from finetune.train import train
from tests.support.tiny_encoder import accuracy
from tests.support.trainings import log_of

TASK = "banking77-sample"
WAYS = {
    "plain": {"epochs": 2, "learning_rate": 3e-4, "batch_size": 16},
    "fitted head": {"pooling": "mean", "probe": True, "epochs": 1, "learning_rate": 5e-5, "batch_size": 16},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_real_encoder_learns_the_shipped_sample(way: str, tmp_path: Path) -> None:
    labels = benchmark(TASK).labels
    assert labels is not None
    checkpoint = train(
        make_settings({"model": "minilm", "text_fields": ["text"], "max_length": 64, **WAYS[way]}),
        train_items=load_items(TASK, split="train"),
        eval_items=load_items(TASK)[:300],
        compute_metrics=accuracy,
        out=tmp_path / "out",
        labels=labels,
    )
    measured = [line for line in log_of(checkpoint) if "accuracy" in line]
    first, last = measured[0], measured[-1]
    assert last["accuracy"] >= 0.9
    assert first["accuracy"] >= 0.85 if way == "fitted head" else first["accuracy"] <= 0.3
    assert abs(last["loss"] - first["loss"]) > 0.001  # a fitted head is right before a step; the steps move it still
