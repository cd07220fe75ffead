"""What an item's outcome is put down to: a table of causes, each with the outcomes that it covers.

A cause rests on whether a chunk of the item's own passage is among the retrieved, whether the answer is right, and
whether the same reader is right with the own passage in the prompt (the oracle of the same run).
"""

from collections.abc import Collection
from typing import NamedTuple

EITHER: tuple[bool | None, ...] = (True, False, None)


class Cause(NamedTuple):
    """A cell of the table: the outcomes that it covers, and what they mean.

    Attributes:
        retrieved: Whether the own passage is among the retrieved; None: the item has none.
        right: Whether the answer is right.
        oracle_right: What the oracle may have answered; None: it did not, or there is none.
    """

    name: str
    retrieved: bool | None
    right: bool
    oracle_right: Collection[bool | None]
    meaning: str


# Each outcome is in exactly one of them. Without a text, a search or the whole prompt, a wrong answer is put down to
# nothing else, whatever the oracle answered.
CAUSES: tuple[Cause, ...] = (
    Cause("found and right", True, True, EITHER, "its passage was found, and the answer is right"),
    Cause("distracted", True, False, (True,), "its passage was found; with that one alone, whole, it is right"),
    Cause("reader failure", True, False, (False,), "its passage was found; with that one alone, whole, it is wrong"),
    Cause("found, yet wrong", True, False, (None,), "its passage was found; without an oracle the cause is open"),
    Cause("retrieval miss", False, False, (True,), "its passage was not found; with it the reader is right"),
    Cause("wrong either way", False, False, (False,), "its passage was not found; with it the reader is wrong too"),
    Cause("missed and wrong", False, False, (None,), "its passage was not found; without an oracle the cause is open"),
    Cause("no text", None, False, (), "the reply holds no text: neither retrieval nor reading is to blame"),
    Cause("not searched", None, False, (), "the model looked nothing up: retrieval is not to blame"),
    Cause("prompt shortened", None, False, (), "the prompt or the oracle's was shortened: the cause is open"),
    Cause("lucky guess", False, True, EITHER, "right without its passage: by chance, by elimination or by knowledge"),
    Cause("right, nothing to find", None, True, EITHER, "the item has no passage"),
    Cause("wrong, nothing to find", None, False, EITHER, "the item has no passage"),
)  # fmt: skip
RETRIEVAL_MISS, MISSED = "retrieval miss", "missed and wrong"
SHORTENED, NO_SEARCH, BLANK = "prompt shortened", "not searched", "no text"
WITHOUT_ORACLE = frozenset(cause.name for cause in CAUSES if tuple(cause.oracle_right) == (None,))
# Wrong answers that are put down neither to retrieval nor to reading.
OPEN = WITHOUT_ORACLE | {SHORTENED, NO_SEARCH, BLANK}


class Outcome(NamedTuple):
    """What came of one item that a system answered.

    Attributes:
        retrieved: Whether its own passage is among the retrieved; None where it has none.
        right: Whether the answer is right.
        cut: Whether the prompt was shortened to fit the model's context, so that a chunk may not have been read.
        searched: Whether anything was looked up: a model that searches by tools may do without.
        blank: Whether the answer holds no text.
        oracle_right: Whether the oracle is right on the item; None where that is not known.
        oracle_cut: Whether the oracle's prompt was shortened: it then did not read the whole passage.
    """

    retrieved: bool | None
    right: bool
    cut: bool = False
    searched: bool = True
    blank: bool = False
    oracle_right: bool | None = None
    oracle_cut: bool = False


def cause_of(one: Outcome) -> Cause:
    """Return the cause of an item's outcome."""
    if not one.right and one.retrieved is not None and (apart := _apart(one)):
        return next(cause for cause in CAUSES if cause.name == apart)
    return next(
        cause
        for cause in CAUSES
        if (cause.retrieved, cause.right) == (one.retrieved, one.right) and one.oracle_right in cause.oracle_right
    )


def _apart(one: Outcome) -> str:
    """Name the cause of a wrong answer that lies neither in what was found nor in how it was read; "" for none."""
    if one.blank:
        return BLANK
    if not one.searched:
        return NO_SEARCH
    return SHORTENED if one.oracle_cut or (one.retrieved and one.cut) else ""
