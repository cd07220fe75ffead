"""How answers were read, and how far a score hangs on it: the rules that fired, and bounds for what was not read.

A system's records in, one `ExtractionAudit` out. A rule whose items are right far less often than the others' is
worth a look at what it read (`python -m eval show`); after a rule is changed, `python -m eval rescore` reads all
replies again and names the items whose score changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data.types import Frozen, Status
from eval.measures.metrics import STATUSES

if TYPE_CHECKING:
    from eval.measures.answers import Answers


class RuleReading(Frozen):
    """What one rule read; `rule` is "" where none fired, and `status` what it came to.

    Attributes:
        n: Answers it read.
        correct: Those that are right.
    """

    rule: str
    status: Status
    n: int
    correct: int


class Bounds(Frozen):
    """A share under three views of the answers that state no choice.

    Attributes:
        wrong: They are wrong, as every score of this project counts them.
        chance: Each is worth a uniform guess, 1 / n_choices.
        right: They are right: no better reading could score more.
    """

    wrong: float
    chance: float
    right: float


class ExtractionAudit(Frozen):
    """How one system's answers were read; failed calls are no answers and are left out.

    Attributes:
        n: Answers.
        unparsed: Those that state no single choice.
        rules: The rules by status, then the most frequent first.
        accuracy: Its bounds, over all answers.
        points: The same of the points possible.
        number_or_text: Answers with a number that is that of one choice and the text of another.
    """

    n: int
    unparsed: int
    rules: tuple[RuleReading, ...]
    accuracy: Bounds
    points: Bounds
    number_or_text: int = 0


def audit(answers: Answers) -> ExtractionAudit | None:
    """Count what each rule read, and bound the score; None without any answer."""
    given = answers.predictions
    if not len(given):
        return None
    unread = given.choices < 0
    return ExtractionAudit(
        n=len(given),
        unparsed=int(unread.sum()),
        rules=tuple(sorted(_rule_readings(given), key=lambda one: (one.status != "ok", -one.n, one.rule, one.status))),
        accuracy=_bounds(given, np.ones(len(given))),
        points=_bounds(given, given.weights),
        number_or_text=int(given.rows["number_or_text"].sum()),
    )


def _rule_readings(given: Answers) -> list[RuleReading]:
    pairs, which = np.unique(given.rows[["rule", "status"]], return_inverse=True)
    counts, right = np.bincount(which), np.bincount(which, weights=given.correct)
    return [
        RuleReading(rule=given.rules[rule], status=STATUSES[status], n=int(n), correct=int(k))
        for (rule, status), n, k in zip(pairs.tolist(), counts, right, strict=True)
    ]


def _bounds(given: Answers, weights: np.ndarray) -> Bounds:
    unread, total = given.choices < 0, weights.sum()
    earned, left_open = weights[given.correct].sum(), weights[unread].sum()
    guessed = (weights / given.n_choices)[unread].sum()
    return Bounds(
        wrong=float(earned / total), chance=float((earned + guessed) / total), right=float((earned + left_open) / total)
    )
