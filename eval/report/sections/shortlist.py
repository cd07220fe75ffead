"""How far the labels that a system was shown limit it, in words."""

from data.common.language import ENGLISH, Language
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import items_counted, share_with_interval


def shortlist_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say of each system that is shown candidates how often the right label was among them."""
    return [
        say(
            "{system} was shown {n} candidates of the labels, and the right one was among them on {recall} of {items}: "
            "more often it cannot be right.",
            system=system.name,
            n=system.description.candidates,
            recall=share_with_interval(system.shortlist.recall, system.shortlist.interval, say),
            items=items_counted(system.shortlist.n, say),
        )
        for system in evaluation.systems
        if system.shortlist is not None
    ]
