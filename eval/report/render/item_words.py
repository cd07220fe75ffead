"""The words that the item browser's script puts on the page, in the report's language."""

from data.common.language import Language
from data.types import Status
from eval.measures.causes import CAUSES

_STATUSES: tuple[Status, ...] = ("none", "multiple", "refusal", "truncated")


def words_of_items(say: Language) -> dict[str, str]:
    """Return by the script's names the words, with placeholders in braces where the script puts a figure."""
    return {
        "shown": say("{n} of {all} items", n="{n}", all="{all}"),
        "searching": say("the texts are being read"),
        "unreadable": say("This browser cannot unpack the items; python -m eval show prints any of them."),
        "listedAlone": say(
            "The page was full before this item: python -m eval show RUN {item} prints it.", item="{item}"
        ),
        "text": say("Text"),
        "key": say("Right answer"),
        "ofShown": say("{right} of {n} right", right="{right}", n="{n}"),
        "right": say("right"),
        "wrong": say("wrong"),
        "noAnswer": say("no answer"),
        "failed": say("failed"),
        "noRecord": say("not asked"),
        "choices": say("choices"),
        "seconds": say("{seconds} s", seconds="{seconds}"),
        "rule": say("rule {rule}", rule="{rule}"),
        "cause": say("cause: {cause}", cause="{cause}"),
        "points": say("worth {points}", points="{points}"),
        "tokens": say("{read} tokens read, {written} written", read="{read}", written="{written}"),
        "probabilities": say("probabilities"),
        "retrieved": say("retrieved"),
        "score": say("score {score}", score="{score}"),
        "sent": say("what was sent"),
        "wrote": say("what it wrote"),
        "reasoned": say("what it reasoned"),
        "trial": say("trial {n}: the choices stood as {order}", n="{n}", order="{order}"),
        "candidates": say("only these choices were shown: {choices}", choices="{choices}"),
        "again": say("{n} attempts", n="{n}"),
        "link": say("link to this item"),
        "close": say("close"),
        "doubtful": say("the label is doubtful"),
        **{f"cause-{cause.name}": say(cause.name) for cause in CAUSES},
        **{f"status-{status}": say.status(status) for status in _STATUSES},
    }
