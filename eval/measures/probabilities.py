"""The probabilities of a system's answers: what calibration scores and a temperature rescales.

`Answers` in, `Probabilities` out, over the rows that have probabilities alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from eval.measures.answers import Answers

FLOOR = 2.0**-52  # the smallest probability that a logarithm is taken of, as in scikit-learn


@dataclass(frozen=True)
class Probabilities:
    """Everything that is scored, one row an answer with probabilities.

    Attributes:
        groups: (n,) the cluster of each item, by name or number.
        targets: (n,) int.
        choices: (n,) int, -1 where nothing usable was said.
        probs: (n, most choices), 0 beyond an item's own choices.
        n_choices: (n,) how many an item has of its own.
        sources: Where the probabilities come from.
    """

    groups: np.ndarray
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


def probabilities_of(answers: Answers) -> Probabilities | None:
    """Take the rows that hold probabilities; None where none does."""
    import numpy as np

    given = answers.take(answers.rows["source"] >= 0)
    if not len(given):
        return None
    counts = np.bincount(given.rows["source"], minlength=len(given.sources)).tolist()
    return Probabilities(
        groups=given.groups,
        targets=given.targets,
        choices=given.choices,
        probs=given.probs[:, : given.n_choices.max()],
        n_choices=given.n_choices,
        sources={name: n for name, n in sorted(zip(given.sources, counts, strict=True)) if n},
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
