"""The files that labelling leaves: the rows with what was said of each, and apart from them those for people to see.

Sources and the answers to all of their rows in; out come OUT and OUT's review file, each whole or not there, with what
stands in them counted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing
from data.row_stream import Source, written_rows
from data.table_types import Row
from eval.execution.label_rows import RowLabel, read_labels
from eval.measures.drift import Given

COLUMNS = ("predicted_label", "confidence", "status")


class Written(NamedTuple):
    """What was written.

    Attributes:
        given: The labels, counted.
        statuses: How often each status occurred.
        first_error: What went wrong with the first row that failed; "" where none did.
        n_review: Rows of the review file; 0 where there is none.
    """

    given: Given
    statuses: Counter[str]
    first_error: str
    n_review: int


def review_path(out: Path) -> Path:
    """Return where the rows for people are: OUT.review with OUT's suffix."""
    return out.with_name(f"{out.stem}.review{out.suffix}")


def write_labelled(
    sources: Sequence[Source], labels: Sequence[str], work: Path, out: Path, *, review_below: float | None
) -> Written:
    """Write the rows of all sources with their labels.

    Args:
        sources: The files, in the order in which their rows were asked.
        labels: The class names, in target order.
        work: The folder with the answers.
        out: The file to write.
        review_below: Rows whose confidence is lower, or that have no label, go to the review file as well; None: none.

    Raises:
        ConfigurationError: A file cannot be written, or the sources have changed meanwhile.
    """
    own = tuple(dict.fromkeys(name for source in sources for name in source.columns))
    names = tuple(_free(name, own) for name in COLUMNS)
    columns, types = (*own, *names), _types(sources, names[1])
    files = [work / f"labelled{out.suffix}", work / f"review{out.suffix}"]
    counts, statuses, errors = Counter[str](), Counter[str](), list[str]()
    confidence = n_confident = n_review = 0.0
    with faults_of_writing(out, "free space there, and give the same command again"):
        with ExitStack() as stack:
            write, write_review = (stack.enter_context(written_rows(file, columns, types)) for file in files)
            for row, label in _together(sources, work):
                name = None if label.choice is None else labels[label.choice]
                whole = {**row, **dict(zip(names, (name, label.confidence, label.status), strict=True))}
                write(whole)
                statuses[label.status] += 1
                if label.error and not errors:
                    errors.append(label.error)
                if name is not None:
                    counts[name] += 1
                if label.confidence is not None:
                    confidence, n_confident = confidence + label.confidence, n_confident + 1
                if review_below is not None and (label.confidence is None or label.confidence < review_below):
                    write_review(whole)
                    n_review += 1
        files[0].replace(out)
        if n_review:
            files[1].replace(review_path(out))
    given = Given(counts, confidence, int(n_confident))
    return Written(given, statuses, errors[0] if errors else "", int(n_review))


def _together(sources: Sequence[Source], work: Path) -> Iterator[tuple[Row, RowLabel]]:
    answers = read_labels(work)
    for source in sources:
        for _, row in source.rows():
            label = next(answers, None)
            if label is None:
                raise ConfigurationError(f"{source.path} has more rows than were labelled: it has changed meanwhile")
            yield row, label
    if next(answers, None) is not None:
        raise ConfigurationError(f"{sources[-1].path} has fewer rows than were labelled: it has changed meanwhile")


def _free(name: str, taken: Sequence[str]) -> str:
    """Return a name that no column of the input has."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _types(sources: Sequence[Source], confidence: str) -> Row:
    """Return the Arrow types that the columns of Parquet files have, where all that have a column agree on its own."""
    import pyarrow

    found: dict[str, set[object]] = {}
    for source in sources:
        for name in source.columns:
            found.setdefault(name, set()).add(source.types.get(name))
    own = {name: kinds.pop() for name, kinds in found.items() if len(kinds) == 1}
    return {**{name: kind for name, kind in own.items() if kind is not None}, confidence: pyarrow.float64()}
