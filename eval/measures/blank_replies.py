"""Replies without any text: how many a system has, why, and what its scores would be had they all been right.

Such a reply counts as wrong, and says nothing of what the model knows: a figure that they could move out of its own
95 % interval supports no conclusion. A system's records in, one `BlankReplies` out.
"""

from collections.abc import Iterable

from data.types import Ask, Frozen, Prediction, Record
from eval.measures.differences import Answers


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


def measure_blank_replies(records: Iterable[Record], answers: Answers) -> BlankReplies | None:
    """Count the replies without text; None where there is none.

    Args:
        records: One an item, all of one system.
        answers: What `read_answers` makes of them.
    """
    predictions = [record.prediction for record in records if record.prediction is not None]
    replies = [reply for prediction in predictions for reply in prediction.replies]
    blank = [reply for reply in replies if reply.is_blank]
    if not blank:
        return None
    cut = sum(_is_cut(reply) for reply in blank)
    reasoned = sum(bool(reply.reasoning) and not _is_cut(reply) for reply in blank)
    at_best = answers.correct_at_best
    return BlankReplies(
        replies=len(replies),
        cut=cut,
        reasoned=reasoned,
        empty=len(blank) - cut - reasoned,
        accuracy_at_best=float(at_best.mean()),
        points_at_best=float(answers.weights[at_best].sum()),
        items=sum(prediction.is_blank for prediction in predictions),
    )


def _is_cut(reply: Prediction | Ask) -> bool:
    return reply.finish_reason == "length" or reply.status == "truncated"
