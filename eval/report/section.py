"""What a report is made of: sections, each of them tables and sentences, which every form draws in its own way."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from data.common.language import Language
from eval.report.evaluation import EvaluationFigures
from eval.report.links import Link


class Table(NamedTuple):
    """A table as text.

    Attributes:
        kind: Which table it is, for a form that draws one in its own way.
        rows: Each as long as `columns`.
        text_columns: How many columns from the left are words; the others are figures and aligned right.
        counts: (n_rows, m) the counts behind the first m figures, where their size is worth a shade.
        note: What a reader must know to read it right.
        links: By (row, column) the figures of a cell that lead to the items behind them, in the order they stand in.
    """

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1
    note: str = ""
    counts: tuple[tuple[int, ...], ...] = ()
    links: Mapping[tuple[int, int], tuple[Link, ...]] = MappingProxyType({})


def _no_tables(evaluation: EvaluationFigures, say: Language) -> list[Table]:
    return []


def _no_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    return []


class Section(NamedTuple):
    """A part of the report on one benchmark; a table without rows is not shown."""

    tables: Callable[[EvaluationFigures, Language], list[Table]] = _no_tables
    sentences: Callable[[EvaluationFigures, Language], list[str]] = _no_sentences
