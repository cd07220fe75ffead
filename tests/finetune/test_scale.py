"""However a batch is divided, among processes or accumulation steps, training computes the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from tests.support.tiny_encoder import make_encoder
from tests.support.trainings import log_of, train_command, train_toy


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def same_figures(a: Path, b: Path) -> None:
    """Compare two logs to float noise: sums are taken in another order."""
    events_a, events_b = log_of(a), log_of(b)
    assert len(events_a) == len(events_b) > 10
    for one, other in zip(events_a, events_b, strict=True):
        assert one.keys() == other.keys()
        shared = [name for name in one if name not in ("event", "wall_s")]
        assert [one[name] for name in shared] == pytest.approx([other[name] for name in shared], rel=1e-3, abs=1e-4)


def test_accumulated_parts_make_the_batch(encoder: Path, tmp_path: Path) -> None:
    whole = train_toy(encoder, tmp_path / "whole", dropout=0, epochs=1.5)
    parts = train_toy(encoder, tmp_path / "parts", dropout=0, epochs=1.5, gradient_accumulation_steps=4)
    same_figures(whole, parts)


def test_two_processes_compute_what_one_does(encoder: Path, data: Path, tmp_path: Path) -> None:
    """Through torchrun (gloo), with sets that neither the batch nor the processes divide."""
    more = ["--dropout", "0", "--epochs", "2", "--limit", "185", "--eval-limit", "59", "--json"]
    alone = subprocess.run(
        train_command(encoder, data, tmp_path / "one", *more), check=True, capture_output=True, text=True
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    both = subprocess.run(
        [*launch, *train_command(encoder, data, tmp_path / "two", *more)[1:]],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    same_figures(tmp_path / "one", tmp_path / "two")
    one, two = json.loads(alone.stdout), json.loads(both.stdout)
    assert two["report"]["accuracy"] == one["report"]["accuracy"]
    assert (one["hardware"]["devices"], two["hardware"]["devices"]) == (1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_batch_that_cannot_be_divided_is_refused(encoder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigurationError, match="a batch of 16 cannot be divided among 3 devices"):
        train_toy(encoder, tmp_path / "out")
