"""Trainings of a tiny encoder on a toy task, called and as a command line."""

import json
import sys
from pathlib import Path

from finetune.config import TrainSettings, make_settings
from finetune.train import train
from tests.support.tiny_encoder import LABELS, accuracy, toy_items


def settings_for(encoder: Path, **changes: object) -> TrainSettings:
    plain = {"model": str(encoder), "max_length": 48, "batch_size": 16, "epochs": 6, "learning_rate": 3e-3}
    return make_settings(plain | {"bf16": "off", "logging_steps": 1} | changes)


def train_toy(
    encoder: Path, out: Path, *, train_items=None, eval_items=None, labels=LABELS, options=None, **changes
) -> Path:
    """Train on the toy task: `options` of `train`, and `changes` to the settings."""
    return train(
        settings_for(encoder, **changes),
        train_items=toy_items(192, seed=1) if train_items is None else train_items,
        eval_items=toy_items(60, seed=2, split="validation") if eval_items is None else eval_items,
        out=out,
        labels=labels,
        **{"compute_metrics": accuracy} | (options or {}),
    )


def log_of(checkpoint: Path) -> list[dict]:
    return [json.loads(line) for line in (checkpoint / "training_log.jsonl").read_text().splitlines()]


def train_command(encoder: Path, data: Path, out: Path, *more: str) -> list[str]:
    options = ["--model", encoder, "--data", data, "--max-length", "48", "--batch-size", "16", "--epochs", "6"]
    rates = ["--learning-rate", "3e-3", "--bf16", "off", "--logging-steps", "3", "--save-steps", "7"]
    return [sys.executable, "-m", "finetune", "train", *map(str, options), *rates, "--out", str(out), *more]
