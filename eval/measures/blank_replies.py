"""Replies without any text: how many a system has, why, and what its scores would be had they all been right.

Such a reply counts as wrong, and says nothing of what the model knows: a figure that they could move out of its own
95 % interval supports no conclusion. A system's `Answers` in, one `BlankReplies` out.
"""

from data.types import Frozen
from eval.measures.answers import Answers


class BlankReplies(Frozen):
    """A system's replies that hold no text.

    Attributes:
        replies: All replies of the system; of an item that was asked several times, each.
        cut: Replies that were cut off at their limit before any text.
        reasoned: Replies that ended by themselves and hold reasoning alone.
        empty: Replies that ended by themselves and hold nothing.
        accuracy_at_best: As if every item without any text had been answered rightly.
        points_at_best: Likewise, the points earned.
        items: Items to which no reply holds any text.
    """

    replies: int
    cut: int
    reasoned: int
    empty: int
    accuracy_at_best: float
    points_at_best: float
    items: int = 0


def measure_blank_replies(answers: Answers) -> BlankReplies | None:
    """Count the replies without text; None where there is none."""
    given = answers.predictions
    cut, reasoned, empty = (int(given.rows[f"{why}_replies"].sum()) for why in ("cut", "reasoned", "empty"))
    if not cut + reasoned + empty:
        return None
    at_best = given.correct_at_best
    return BlankReplies(
        replies=int(given.rows["replies"].sum()),
        cut=cut,
        reasoned=reasoned,
        empty=empty,
        accuracy_at_best=float(at_best.mean()),
        points_at_best=float(given.weights[at_best].sum()),
        items=int(given.rows["blank"].sum()),
    )
