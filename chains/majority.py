"""What several answers to one item come to: the choice that most of them give, and how the others lean.

Askings in, the fields of one prediction out. A pure function, so that a run whose replies are read again with other
rules comes to its majority in the same way.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from data.types import Ask, ProbsSource

SAME_PROBABILITY = 1e-9  # a mean of the same numbers depends on their order in its last digits


def majority(asks: Sequence[Ask], *, source: ProbsSource | None, key: str) -> dict[str, Any]:
    """Return the choice that most askings give, as fields of a `Prediction`: choice, status, rule, probs, probs_source.

    Where several choices are given equally often, the one with the higher mean probability is taken; where that says
    nothing either, one of them is drawn. A rule such as "the first of them" would itself prefer a position, and no
    answer at all would count as wrong what is right as often as a guess.

    Args:
        asks: Of one item, their choices mapped back to the item's own order.
        source: Of the askings' probabilities, which are averaged where every asking has them. Else the probabilities
            are the share of each choice among the answers, and their source is "votes".
        key: Decides a draw: see `draw_key`.

    Source:
        Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models", arXiv:2203.11171.
    """
    counts = Counter(ask.choice for ask in asks if ask.choice is not None)
    probs = _mean_probs(asks)
    if probs is None and counts:
        source = "votes"
        probs = tuple(counts[choice] / counts.total() for choice in range(len(asks[0].order)))
    with_probs = {"probs": probs, "probs_source": None if probs is None else source}
    if not counts:
        status = Counter(ask.status for ask in asks).most_common(1)[0][0]
        return {"choice": None, "status": status, "rule": "", **with_probs}
    choice, rule = _most_given(counts, probs or (), key)
    return {"choice": choice, "status": "ok", "rule": rule, **with_probs}


def draw_key(seed: int, item_id: str) -> str:
    """Return what decides the draws of an item in a run."""
    return f"{seed}/{item_id}"


def _mean_probs(asks: Sequence[Ask]) -> tuple[float, ...] | None:
    rows = [ask.probs for ask in asks if ask.probs is not None]
    if len(rows) < len(asks):
        return None
    return tuple(math.fsum(column) / len(rows) for column in zip(*rows, strict=True))


def _most_given(counts: Counter[int], probs: Sequence[float], key: str) -> tuple[int, str]:
    most = max(counts.values())
    tied = sorted(choice for choice, count in counts.items() if count == most)
    if len(tied) == 1:
        return tied[0], "majority"
    highest = max(probs[choice] for choice in tied)
    likeliest = [choice for choice in tied if highest - probs[choice] <= SAME_PROBABILITY]
    if len(likeliest) == 1:
        return likeliest[0], "tie-by-probability"
    digest = hashlib.sha256(key.encode()).digest()
    return likeliest[int.from_bytes(digest[:8], "big") % len(likeliest)], "tie-drawn"
