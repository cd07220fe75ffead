"""The report's section on tags: right answers by section, kind of question or genre."""

from data.common.language import ENGLISH, Language
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, share_with_interval
from eval.report.links import Link, items_query
from eval.report.section import Table
from eval.report.sections.scores import earned
from eval.report.system_figures import SystemSummary


def tag_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Right answers by section, question type or genre, in an exam with their points, one column a system."""
    scored = [system for system in evaluation.systems if system.scores is not None]
    found_tags = dict.fromkeys(tag for system in evaluation.systems if system.scores for tag in system.scores.by_tag)
    tags = sorted(found_tags, key=lambda tag: ":" not in tag)  # sections and genres, then the loose ones
    rows = [(tag, *(tag_text(one, tag, say, weighted=evaluation.weighted) for one in scored)) for tag in tags]
    by_genre, by_section = say("Right answers by genre"), say("Right answers by section and kind of question")
    title = by_genre if evaluation.labelled else by_section
    kinds = say("negative: questions that ask which choice does not hold; 보기: that show a text of their own.")
    note = kinds if "negative" in tags else ""
    in_points, in_shares = say("Right of all; points, 95% interval."), say("Right of all; accuracy, 95% interval.")
    read = in_points if evaluation.weighted else in_shares
    columns = (say("Items"), *(system.name for system in scored))
    links = {
        (row, column): _tag_links(system, tag)
        for row, tag in enumerate(tags)
        for column, system in enumerate(scored, start=1)
    }
    return [Table("tags", title, columns, tuple(rows), note=" ".join([read, note]).strip(), links=links)]


def _tag_links(system: SystemSummary, tag: str) -> tuple[Link, ...]:
    one = system.scores.by_tag.get(tag) if system.scores else None
    if one is None:
        return ()
    right, given = (items_query(states={system.name: state}, tag=tag) for state in ("right", "given"))
    return Link(f"{one.correct:,}", right), Link(f"{one.n:,}", given)


def tag_text(system: SystemSummary, tag: str, say: Language = ENGLISH, *, weighted: bool) -> str:
    """Right answers on the items of a tag, then their accuracy, or their points, with its interval."""
    one = system.scores.by_tag.get(tag) if system.scores else None
    if one is None:
        return NOTHING
    interval = system.tag_intervals.get(tag)
    if weighted:
        scored = earned(one.points, one.points_possible, interval, say)
    else:
        scored = share_with_interval(one.accuracy, interval, say)
    return f"{one.correct:,}/{one.n:,} · {scored}"
