"""The labels of items without choices of their own: the right answers that a log has.

Right answers in; out go the labels, or one line that says why they are none.
"""

from collections import Counter
from collections.abc import Iterable

from data.common.errors import ConfigurationError
from data.label_set import MOST_LABELS
from data.splits import fold

_FEW = 20  # different right answers: so many are labels, however few rows each has


def labels_of(answers: Iterable[str], *, where: str) -> tuple[str, ...]:
    """Return the labels that right answers are, in the order of the alphabet; those that differ by case are one.

    Args:
        answers: The right answer of each item.
        where: What a message begins with.

    Raises:
        ConfigurationError: There are fewer than two, or too many to be labels.
    """
    spelt, counts = dict[str, str](), Counter[str]()
    for answer in answers:
        counts[spelt.setdefault(fold(answer), answer)] += 1
    remedy = "name a benchmark or a labelled file with these items and their choices (--benchmark)"
    if len(counts) == 1:
        raise ConfigurationError(f"{where} holds no choices, and one right answer, '{next(iter(counts))}'; {remedy}")
    if len(counts) > MOST_LABELS or (len(counts) > _FEW and 2 * len(counts) > counts.total()):
        raise ConfigurationError(
            f"{where} holds no choices, and {len(counts):,} different right answers to {counts.total():,} items: only "
            f"closed questions are scored here; {remedy}"
        )
    return tuple(sorted(counts))
