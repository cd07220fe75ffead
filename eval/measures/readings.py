"""How answers were read, and how far a score hangs on it: the rules that fired, and bounds for what was not read.

A system's records in, one `ExtractionAudit` out. A rule whose items are right far less often than the others' is
worth a look at what it read (`python -m eval show`); after a rule is changed, `python -m eval rescore` reads all
replies again and names the items whose score changed.
"""

from collections import defaultdict
from collections.abc import Iterable

from data.types import Frozen, Record, Status

# The rule of a reply that names one choice by its number and another by its text (docs/evidence.md).
NUMBER_OR_TEXT = "number-or-text"


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
        rules: By status, then the most frequent first.
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


def audit(records: Iterable[Record]) -> ExtractionAudit | None:
    """Count what each rule read, and bound the score; None without any answer.

    Args:
        records: One record an item, all of one system.
    """
    answers = [(record.item, record.prediction) for record in records if record.prediction is not None]
    if not answers:
        return None
    counts: dict[tuple[str, Status], list[int]] = defaultdict(lambda: [0, 0])
    for item, prediction in answers:
        count = counts[prediction.rule, prediction.status]
        count[0] += 1
        count[1] += prediction.choice == item.target
    rules = [RuleReading(rule=rule, status=status, n=n, correct=k) for (rule, status), (n, k) in counts.items()]
    right = [prediction.choice == item.target for item, prediction in answers]
    unread = [prediction.choice is None for _, prediction in answers]
    guesses = [1 / len(item.choices) for item, _ in answers]
    return ExtractionAudit(
        n=len(answers),
        unparsed=sum(unread),
        rules=tuple(sorted(rules, key=lambda one: (one.status != "ok", -one.n, one.rule, one.status))),
        accuracy=_bounds(right, unread, guesses, [1.0] * len(answers)),
        points=_bounds(right, unread, guesses, [item.weight for item, _ in answers]),
        number_or_text=sum(
            any(NUMBER_OR_TEXT in reply.rule for reply in prediction.replies) for _, prediction in answers
        ),
    )


def _bounds(right: list[bool], unread: list[bool], guesses: list[float], weights: list[float]) -> Bounds:
    rows = list(zip(right, unread, guesses, weights, strict=True))
    total = sum(weights)
    earned = sum(weight for is_right, _, _, weight in rows if is_right)
    guessed = sum(weight * guess for _, is_unread, guess, weight in rows if is_unread)
    open_to_all = sum(weight for _, is_unread, _, weight in rows if is_unread)
    return Bounds(wrong=earned / total, chance=(earned + guessed) / total, right=(earned + open_to_all) / total)
