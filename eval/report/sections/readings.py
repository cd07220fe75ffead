"""The report's section on how answers were read: bounds and statuses of each system, and each rule's items."""

from data.common.language import ENGLISH, Language
from eval.measures.metrics import STATUSES
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import percent
from eval.report.section import Table


def reading_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return what became of each system's answers, and what each rule read."""
    return [_answers_table(evaluation, say), _rules_table(evaluation, say)]


def reading_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say how far a score hangs on how replies were read."""
    return [*_unread(evaluation, say), *_number_or_text(evaluation, say)]


def _answers_table(evaluation: EvaluationFigures, say: Language) -> Table:
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


def _rules_table(evaluation: EvaluationFigures, say: Language) -> Table:
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


def _unread(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say how far an accuracy depends on what is made of answers that state no choice; not where none holds a text."""
    return [
        say.count(
            audit.unparsed,
            "{n} answer of {system} states no single choice: its accuracy is {wrong} with that counted as wrong, as "
            "everywhere here, {chance} counted as a guess, and could not exceed {most}.",
            "{n} answers of {system} state no single choice: its accuracy is {wrong} with those counted as wrong, as "
            "everywhere here, {chance} counted as guesses, and could not exceed {most}.",
            system=system.name,
            wrong=percent(audit.accuracy.wrong),
            chance=percent(audit.accuracy.chance),
            most=percent(audit.accuracy.right),
        )
        for system in evaluation.systems
        if (audit := system.audit) is not None and audit.unparsed > (system.blank.items if system.blank else 0)
    ]


def _number_or_text(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say how many answers can be read in two ways, and how they were."""
    return [
        say.count(
            audit.number_or_text,
            "{n} answer of {system} holds a number that is the number of one choice and the text of another: it counts "
            "as the number, unless the reply computed it; the table of rules has it as number-or-text.",
            "{n} answers of {system} hold a number that is the number of one choice and the text of another: they "
            "count as the number, unless the reply computed it; the table of rules has them as number-or-text.",
            system=system.name,
        )
        for system in evaluation.systems
        if (audit := system.audit) is not None and audit.number_or_text
    ]
