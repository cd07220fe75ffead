"""The report's section on students: how each compares with its teacher, and which of its mistakes it learnt."""

from data.common.language import ENGLISH, Language
from eval.measures.distilled import Distilled
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import percent, share_with_interval, signed, span
from eval.report.section import Table


def distilled_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return one row for each of the most frequent confusions of each student's teacher."""
    rows = tuple(
        (one.student, found.label, found.taken_for, f"{found.teacher:,}", f"{found.repeated:,}", f"{found.student:,}")
        for one in evaluation.distilled
        for found in one.confusions
    )
    columns = (
        say("Student"),
        say("Label"),
        say("Taken for"),
        say("By its teacher"),
        say("By the student on the same items"),
        say("By the student in all"),
    )
    title = say("Confusions of the teachers, and what the students learnt of them")
    return [Table("distilled", title, columns, rows, text_columns=3)]


def distilled_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say of each student whether it is better than its teacher, and whether it repeats its mistakes."""
    return [
        sentence
        for one in evaluation.distilled
        for sentence in (_compared(one, say), *([_repeated(one, say)] if one.mistakes else []))
    ]


def _compared(one: Distilled, say: Language) -> str:
    about = {"student": one.student, "teacher": one.teacher, "n": f"{one.labelled:,}"}
    figures = {"difference": signed(one.difference), "interval": span(one.interval, say)}
    if one.interval is not None and one.interval.low > 0:
        return say(
            "{student} learnt from what {teacher} answered to {n} texts, and beats its teacher: {difference} "
            "percentage points (95% interval {interval}).",
            **about,
            **figures,
        )
    if one.interval is not None and one.interval.high < 0:
        return say(
            "{student} learnt from what {teacher} answered to {n} texts, and stays behind its teacher: {difference} "
            "percentage points (95% interval {interval}).",
            **about,
            **figures,
        )
    return say(
        "{student} learnt from what {teacher} answered to {n} texts, and is not distinguishable from its teacher: "
        "{difference} percentage points (95% interval {interval}).",
        **about,
        **figures,
    )


def _repeated(one: Distilled, say: Language) -> str:
    about = {
        "student": one.student,
        "teacher": one.teacher,
        "mistakes": f"{one.mistakes:,}",
        "share": share_with_interval(one.repeated / one.mistakes, one.repeated_interval, say),
        "corrected": percent(one.corrected / one.mistakes),
        "beside": percent((one.by_chance or 0.0) if one.control is None else one.control.repeated),
    }
    if one.control is not None and one.learnt_mistakes:
        return say(
            "Of the {mistakes} mistakes of {teacher}, {student} repeats {share} and corrects {corrected}; {control}, "
            "which learnt the items' own labels, gives the same wrong answer to {beside}: it learnt its teacher's "
            "confusions.",
            **about,
            control=one.control.system,
        )
    if one.control is not None:
        return say(
            "Of the {mistakes} mistakes of {teacher}, {student} repeats {share} and corrects {corrected}; {control}, "
            "which learnt the items' own labels, gives the same wrong answer to {beside}: that it learnt its teacher's "
            "confusions is not shown.",
            **about,
            control=one.control.system,
        )
    if one.learnt_mistakes:
        return say(
            "Of the {mistakes} mistakes of {teacher}, {student} repeats {share} and corrects {corrected}; by chance it "
            "would repeat {beside}: the two find the same items hard, or it learnt its teacher's confusions.",
            **about,
        )
    return say(
        "Of the {mistakes} mistakes of {teacher}, {student} repeats {share} and corrects {corrected}; by chance it "
        "would repeat {beside}: to it they were noise.",
        **about,
    )
