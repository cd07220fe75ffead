"""How often the labels that a system was shown hold the right one: more often it cannot be right.

The answers of a system that is shown candidates in, a share with its interval out.
"""

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.stats import Interval, share_interval


class Shortlist(Frozen):
    """The candidates of a system.

    Attributes:
        n: Items that were answered among candidates.
        recall: The share of them whose right label was shown.
        interval: 95 % of it; None where all items are one cluster.
    """

    n: int
    recall: float
    interval: Interval | None


def measure_shortlist(answers: Answers) -> Shortlist | None:
    """Measure the candidates of a system; None for one that was shown all labels."""
    given = answers.predictions
    among = given.take(np.flatnonzero(given.rows["shortlisted"] >= 0))
    if not len(among):
        return None
    kept = among.rows["shortlisted"].astype(float)
    return Shortlist(
        n=len(among), recall=float(kept.mean()), interval=share_interval(kept, np.ones(len(among)), among.groups)
    )
