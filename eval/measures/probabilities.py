"""The probabilities of a system's records as columns: what calibration scores and a temperature rescales.

Records in, `Probabilities` out, over those that hold probabilities alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from data.types import Record

if TYPE_CHECKING:
    import numpy as np

FLOOR = 2.0**-52  # the smallest probability that a logarithm is taken of, as in scikit-learn


@dataclass(frozen=True)
class Probabilities:
    """Everything that is scored, one row a record with probabilities.

    Attributes:
        groups: (n,) cluster of each item.
        targets: (n,) int.
        choices: (n,) int, -1 where nothing usable was said.
        probs: (n, most choices), 0 beyond an item's own choices.
        n_choices: (n,) how many an item has of its own.
        sources: Where the probabilities come from.
    """

    groups: tuple[str, ...]
    targets: np.ndarray
    choices: np.ndarray
    probs: np.ndarray
    n_choices: np.ndarray
    sources: dict[str, int]

    @property
    def correct(self) -> np.ndarray:
        """(n,) bool."""
        right: np.ndarray = self.targets == self.choices
        return right

    @property
    def confidence(self) -> np.ndarray:
        """(n,) probability of the choice."""
        import numpy as np

        chosen = np.where(self.choices < 0, self.probs.argmax(axis=1), self.choices)
        return at(self.probs, chosen)


def read_probabilities(records: Iterable[Record]) -> Probabilities | None:
    """Take the columns out of the records that hold probabilities; None where none does."""
    import numpy as np

    rows = [(r.item, p, p.probs) for r in records if (p := r.prediction) is not None and p.probs is not None]
    if not rows:
        return None
    widths = np.array([len(probs) for _, _, probs in rows])
    padded = np.zeros((len(rows), widths.max()))
    padded[np.arange(widths.max()) < widths[:, None]] = np.concatenate([probs for _, _, probs in rows])
    return Probabilities(
        groups=tuple(item.group for item, _, _ in rows),
        targets=np.array([item.target for item, _, _ in rows], dtype=np.int64),
        choices=np.array([-1 if p.choice is None else p.choice for _, p, _ in rows], dtype=np.int64),
        probs=padded,
        n_choices=widths,
        sources=dict(sorted(Counter(p.probs_source or "unknown" for _, p, _ in rows).items())),
    )


def rescaled(given: Probabilities, temperature: float) -> Probabilities:
    """Return the probabilities p^(1/T), renormalised: above 1 they become more alike, below 1 more apart.

    A probability of exactly 0 counts as FLOOR, so that a system that ruled the target out can be made to take it back.

    Source:
        Guo, Pleiss, Sun and Weinberger 2017, ICML: logits divided by T, of which p^(1/T) is the softmax.
    """
    import numpy as np

    own = np.arange(given.probs.shape[1]) < given.n_choices[:, None]
    logits = np.where(own, np.log(np.maximum(given.probs, FLOOR)) / temperature, -np.inf)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return replace(given, probs=powers / powers.sum(axis=1, keepdims=True))


def at(probs: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return each row's entry in its column, (n,)."""
    import numpy as np

    chosen: np.ndarray = probs[np.arange(len(probs)), columns]
    return chosen
