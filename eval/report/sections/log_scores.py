"""The report's section on answers that were imported from a log: its own score beside the one here."""

from data.common.language import ENGLISH, Language
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, percent
from eval.report.section import Table

_NAMED = 10  # of the items on which the scores differ, so many are named


def log_score_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return one row a system whose answers a log scored."""
    rows = tuple(
        (
            system.name,
            (system.description.log.tool if system.description.log else "") or NOTHING,
            (system.description.log.metric if system.description.log else "") or NOTHING,
            f"{system.log_scores.n:,}",
            percent(system.log_scores.logged),
            percent(system.log_scores.here),
            f"{len(system.log_scores.differing):,}",
        )
        for system in evaluation.systems
        if system.log_scores is not None
    )
    columns = (
        say("System"),
        say("Log of"),
        say("Its score"),
        say("Answers scored"),
        say("By the log"),
        say("Here"),
        say("Items that differ"),
    )
    note = say(
        "Both score the same answers. An item differs where it is right by one of the two and wrong by the other: the "
        "log's tool read the reply otherwise, or took something else for right; `python -m eval show` shows what was "
        "said."
    )
    return [Table("log_scores", say("The logs' own scores"), columns, rows, text_columns=3, note=note)]


def log_score_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say on which items a log's own score and the one here differ."""
    return [
        say.count(
            len(differing),
            "The log of {system} scores {n} item otherwise than this report: {items}.",
            "The log of {system} scores {n} items otherwise than this report: {items}.",
            system=system.name,
            items=", ".join(differing[:_NAMED]) + (" …" if len(differing) > _NAMED else ""),
        )
        for system in evaluation.systems
        if system.log_scores is not None and (differing := system.log_scores.differing)
    ]
