"""The report's section on labels that are doubtful: which items they are of, and how much of the errors they explain.

An `EvaluationFigures` in; tables and sentences out.
"""

from data.common.language import ENGLISH, Language
from eval.measures.labels import DoubtfulLabel, DoubtfulLabels, Explained
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import items_counted, listed, percent
from eval.report.links import Link, items_query
from eval.report.section import Table

SHOWN = 20  # items; the CSV of every answer has them all


def label_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return the items whose label is doubtful, and what these labels could explain of each system's errors."""
    found = evaluation.labels
    if found is None or not found.labels:
        return []
    return [_items_table(evaluation, found, say), _explained_table(found, say)]


def label_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say how many labels are doubtful, and how much of the best system's error rate they could explain at most."""
    found = evaluation.labels
    if found is None or not found.labels:
        return []
    said = say.count(
        len(found.labels),
        "{n} label of {items} is doubtful: {voices} are right otherwise, and agree on another answer.",
        "{n} labels of {items} are doubtful: of {voices}, which are right otherwise, two at least agree on another "
        "answer.",
        items=items_counted(found.n, say),
        voices=listed(found.voices, say),
    )
    leader = max(found.explained, key=lambda one: (one.n - one.wrong) / one.n)
    return [said, *([_explained_sentence(leader, say)] if leader.wrong else [])]


def _explained_sentence(one: Explained, say: Language) -> str:
    return say(
        "At most {points} points of the error rate of {system} ({rate}) could be explained by doubtful labels.",
        points=f"{100 * one.doubtful / one.n:.1f}",
        system=one.system,
        rate=percent(one.wrong / one.n),
    )


def _items_table(evaluation: EvaluationFigures, found: DoubtfulLabels, say: Language) -> Table:
    names = _class_names(evaluation)
    rows = tuple(_item_row(one, names, say) for one in found.labels[:SHOWN])
    columns = (
        say("Item"),
        say("Label"),
        say("The systems say"),
        say("Which systems"),
        say("Probability of the label"),
        say("Of the other answer"),
    )
    note = say(
        "Probabilities are the mean of {voices}, each calibrated to how often it is right. That two "
        "systems make the same mistake is possible too: look at the item with eval show before a label is changed.",
        voices=listed(found.voices, say),
    )
    if (more := len(found.labels) - SHOWN) > 0:
        note += say(" {n} more are in eval report --format csv.", n=f"{more:,}")
    links = {(row, 0): (Link(cells[0], items_query(item=cells[0])),) for row, cells in enumerate(rows)}
    return Table("labels", say("Labels that are doubtful"), columns, rows, text_columns=4, note=note, links=links)


def _item_row(one: DoubtfulLabel, names: tuple[str, ...], say: Language) -> tuple[str, ...]:
    probs = (percent(one.key_prob), percent(one.answer_prob))
    return (one.item, names[one.key], names[one.answer], listed(one.systems, say), *probs)


def _explained_table(found: DoubtfulLabels, say: Language) -> Table:
    rows = tuple(
        (
            one.system,
            f"{one.wrong:,}",
            f"{one.doubtful:,}",
            percent(one.wrong / one.n),
            f"{100 * one.doubtful / one.n:.1f}",
        )
        for one in found.explained
    )
    columns = (
        say("System"),
        say("Wrong by the key"),
        say("Of these on doubtful labels"),
        say("Error rate"),
        say("Points of it that doubtful labels explain at most"),
    )
    return Table("labels-explained", say("What doubtful labels could explain"), columns, rows)


def _class_names(evaluation: EvaluationFigures) -> tuple[str, ...]:
    """Return the labels' names, or the numbers of the choices where each item has its own."""
    scored = (system.scores.class_names for system in evaluation.systems if system.scores is not None)
    return max(scored, key=len)
