"""A run of a small encoder and a dear model whose cascade is known to be worth it, with prices of a toy table."""

from pathlib import Path

import numpy as np

from data.types import Item, Record
from tests.support.journaled_runs import LABELS, answer, pair_item, right_where, write_run
from tests.support.priced_runs import API, TOY

CHECKPOINT = {"kind": "checkpoint", "checkpoint": "made-up", "training": {"wall_s": 60, "hardware": TOY, "n": 500}}
USAGE = {"input_tokens": 5000, "output_tokens": 10}
FAILED = 7  # the item that the model gave no answer to


def number_of(item: Item) -> int:
    return int(item.id.rsplit("/", 1)[1])


def small(n: int, seed: int = 1) -> list[tuple[bool, float]]:
    """Whether the encoder is right on each item, and how sure it says it is: it knows well what it does not know."""
    rng = np.random.default_rng(seed)
    sure = np.where(rng.random(n) < 0.75, 0.97, 0.5) + rng.random(n) / 50
    return list(zip((rng.random(n) < sure).tolist(), sure.tolist(), strict=True))


def cascade_run(
    run_dir: Path, n: int = 600, *, gpt_right: float = 0.94, seed: int = 1, cascade: dict[str, float] | None = None
) -> Path:
    """A run of `tuned`, `gpt`, which gives no probabilities, and `majority`, over pairs that share no premise.

    With `cascade`, the rule of a system `both` that is still to be made of the two.
    """
    rng, cheap = np.random.default_rng(seed + 1), small(n, seed)
    dear = (rng.random(n) < gpt_right).tolist()

    def tuned(item: Item) -> Record:
        right, sure = cheap[number_of(item)]
        choice = right_where(item, right)
        probs = tuple(sure if place == choice else (1 - sure) / 2 for place in range(len(LABELS)))
        return answer(item, "tuned", choice, probs=probs, probs_source="softmax")

    def gpt(item: Item) -> Record:
        number = number_of(item)
        if number == FAILED:
            return Record(item=item, system="gpt", error="APIError: failed", latency_s=0.5)
        return answer(item, "gpt", right_where(item, dear[number]), usage=USAGE)

    systems = {"majority": lambda item: answer(item, "majority", 0, probs=(0.4, 0.3, 0.3)), "tuned": tuned, "gpt": gpt}
    descriptions = {"majority": {"kind": "baseline", "baseline": "majority"}, "tuned": CHECKPOINT, "gpt": API}
    if cascade is not None:  # which has no journal yet
        systems["both"] = lambda item: None
        descriptions["both"] = {"kind": "cascade", "cascade": ["tuned", "gpt"], "defer": cascade}
    items = [pair_item(number) for number in range(n)]
    return write_run(run_dir, [("mnli", items, systems)], descriptions=descriptions, hardware=TOY)
