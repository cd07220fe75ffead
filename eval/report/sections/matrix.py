"""The report's section on matrices: what each setting is worth over all others that were tried with it."""

from data.common.language import ENGLISH, Language
from eval.measures.matrix import Factor, Level, Matrix
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, items_counted, listed, percent, signed, span
from eval.report.section import Table


def matrix_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return a table for each matrix: every value of every setting that has several."""
    return [_table(matrix, say) for matrix in evaluation.matrices]


def _table(matrix: Matrix, say: Language) -> Table:
    rows = tuple(
        (
            factor.name,
            level.name,
            f"{level.n_systems:,}",
            percent(level.accuracy),
            NOTHING if level.name == factor.best else signed(level.difference),
            NOTHING if level.name == factor.best else span(level.interval, say),
        )
        for factor in matrix.factors
        for level in factor.levels
    )
    columns = (
        say("Setting"),
        say("Value"),
        say("Systems"),
        say("Mean accuracy"),
        say("Against the best"),
        say("95% interval"),
    )
    note = say(
        "The mean accuracy of the systems that have a value, over all values of the other settings, on the {items} "
        "that every one of them answered. Against the best: in percentage points, paired on the same items; an "
        "interval that holds zero shows no difference. The intervals are not adjusted for how many values are "
        "compared.",
        items=items_counted(matrix.n, say),
    )
    title = say("What each setting of {name} is worth", name=matrix.name)
    return Table("matrix", title, columns, rows, text_columns=2, note=note)


def matrix_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say for each setting which value scores highest, and which lie behind it."""
    return [_sentence(matrix, factor, say) for matrix in evaluation.matrices for factor in matrix.factors]


def _sentence(matrix: Matrix, factor: Factor, say: Language) -> str:
    others = [level for level in factor.levels if level.name != factor.best]
    best = next(level for level in factor.levels if level.name == factor.best)
    return say(
        "Over the other settings of {name}, {setting} {best} scores highest ({accuracy}). Against it: {others}.",
        name=matrix.name,
        setting=factor.name,
        best=best.name,
        accuracy=percent(best.accuracy),
        others=listed([_behind(level, say) for level in others], say),
    )


def _behind(level: Level, say: Language) -> str:
    return say(
        "{value} {difference} points (95% interval {interval})",
        value=level.name,
        difference=signed(level.difference),
        interval=span(level.interval, say),
    )
