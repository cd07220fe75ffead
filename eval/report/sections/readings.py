"""The tables of a report that say how answers were read: bounds and statuses of each system, and each rule's items."""

from typing import TYPE_CHECKING

from data.common.language import ENGLISH, Language
from eval.measures.metrics import STATUSES
from eval.report.figures import percent
from eval.report.table import Table

if TYPE_CHECKING:
    from eval.report.summary import EvaluationSummary


def answers_table(evaluation: "EvaluationSummary", say: Language = ENGLISH) -> Table:
    """One row a system: what became of its answers, and what those that were not read could change."""
    rows = []
    for system in evaluation.systems:
        if system.scores is None or system.audit is None:
            continue
        bounds, statuses = system.audit.accuracy, system.scores.statuses
        rows.append(
            (
                system.name,
                *(f"{statuses.get(status, 0):,}" for status in STATUSES),
                f"{system.scores.errors:,}",
                *(percent(share) for share in (bounds.wrong, bounds.chance, bounds.right)),
            )
        )
    columns = (
        say("System"),
        *(say.status(status) for status in STATUSES),
        say("errors"),
        say("Accuracy, unparsed wrong"),
        say("as chance"),
        say("at most"),
    )
    note = say(
        "An answer is unparsed where it states no single choice (none, multiple, refusal, truncated). Every score of "
        "this report counts it as wrong; as chance, it is worth one uniform guess; at most, it is right."
    )
    return Table("answers", say("How answers were read"), columns, tuple(rows), note=note)


def rules_table(evaluation: "EvaluationSummary", say: Language = ENGLISH) -> Table:
    """One row a rule of each system: how many answers it read, and how many of those are right."""
    rows = tuple(
        (
            system.name,
            one.rule or say("no rule"),
            say.status(one.status),
            f"{one.n:,}",
            percent(one.n / system.audit.n),
            f"{one.correct:,}" if one.status == "ok" else "–",
            percent(one.correct / one.n) if one.status == "ok" else "–",
        )
        for system in evaluation.systems
        if system.audit is not None
        for one in system.audit.rules
    )
    columns = (
        say("System"),
        say("Rule"),
        say("Status"),
        say("Answers"),
        say("of all"),
        say("Right"),
        say("Accuracy of these"),
    )
    note = say(
        "A rule whose answers are right far less often than the others' may misread: `python -m eval show` shows what "
        "was said. After a change to the rules, `python -m eval rescore` reads all answers again and names what "
        "changed."
    )
    return Table("rules", say("Rules that read the answers"), columns, rows, text_columns=3, note=note)
