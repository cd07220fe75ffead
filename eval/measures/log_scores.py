"""What another tool scored the very answers that were imported from its log, beside what they score here.

The answers of a system in, both scores and the items on which they differ out.
"""

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers

_APART = 0.5  # of scores that differ by more, one says that the answer is right and the other that it is wrong


class LogScores(Frozen):
    """Two scores of the same answers.

    Attributes:
        n: Answers that the log scored.
        logged: The mean of the log's own score, from 0 to 1.
        here: The share of the same answers that is right here.
        differing: Ids of the items that are right by one of the two and wrong by the other.
    """

    n: int
    logged: float
    here: float
    differing: tuple[str, ...]


def measure_log_scores(answers: Answers) -> LogScores | None:
    """Compare a log's own scores with those here; None for a system that no log scored."""
    given = answers.predictions
    scored = given.take(np.isfinite(given.rows["log_score"]))
    if not len(scored):
        return None
    logged, right = scored.rows["log_score"], scored.correct
    apart = np.abs(logged - right) > _APART
    return LogScores(
        n=len(scored),
        logged=float(logged.mean()),
        here=float(right.mean()),
        differing=tuple(scored.ids_of(scored.rows["item"][apart])),
    )
