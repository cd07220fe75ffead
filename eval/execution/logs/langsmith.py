"""The results of a LangSmith experiment as CSV: `evaluate(...).to_pandas().to_csv(FILE)`, or what its page gives.

Columns are named after what they hold, "inputs.question", "outputs.answer", "reference.answer", "feedback.correct"; or
"inputs", "outputs" and "reference_outputs" hold objects.

Source:
    `_flatten_experiment_results` in `langsmith/evaluation/_runner.py`, version 0.15.0.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.column_names import ANSWERS, CHOICES, LABELS
from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.delimited import LONGEST_CELL
from eval.execution.logs.document import parsed_cell, read_document
from eval.execution.logs.row import LogRow, as_number, as_text, first_score, make_row

_PARTS = {
    "inputs": ("inputs", "input"),
    "outputs": ("outputs", "output"),
    "reference": ("reference", "reference_outputs", "reference outputs", "reference_output", "expected"),
    "feedback": ("feedback", "scores"),
}
_OUTPUTS = ("output", "answer", "text", "content", "response", "prediction", "generation", "result", *ANSWERS, *LABELS)
_SECONDS = ("execution_time", "latency", "latency_s")


def is_table(columns: Sequence[str]) -> bool:
    """Say whether columns are those of an experiment: what went in, and what came out."""
    parts = {_part(column)[0] for column in columns}
    return {"inputs", "outputs"} <= parts and bool(parts & {"reference", "feedback"})


def read(path: Path) -> Iterator[LogRow]:
    """Yield each run of the experiment, reading as it goes.

    Raises:
        ConfigurationError: The table is damaged.
    """
    csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            for row in table:
                place = f"line {table.line_num}"
                if None in row or None in row.values():
                    raise ConfigurationError(f"{path}, {place}: has another number of cells than the header")
                yield _row(path, place, row)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not CSV in UTF-8 ({error})") from None


def _row(path: Path, place: str, cells: Mapping[str, str]) -> LogRow:
    given = _parts(cells)
    expected = _one(given["reference"], (*ANSWERS, *LABELS, *_OUTPUTS))
    choices = {name: value for name, value in given["reference"].items() if name.casefold() in CHOICES}
    document = read_document({**given["inputs"], **choices}, answer=expected)
    found = first_score({name: _number(value) for name, value in given["feedback"].items()})
    metric, score = found or ("", None)
    seconds = next((_number(cells[name]) for name in _SECONDS if cells.get(name)), None)
    return make_row(
        path,
        place,
        id=cells.get("example_id") or cells.get("reference_example_id") or place,
        task=path.stem,
        texts=document.texts,
        choices=document.choices,
        names=document.names,
        answer=expected.strip(),
        output=None if not given["outputs"] else _one(given["outputs"], _OUTPUTS),
        latency_s=as_number(seconds),
        metric=metric,
        score=score,
        error=cells.get("error", ""),
    )


def _part(column: str) -> tuple[str, str]:
    """Return which part of a run a column is of, and the name within it; ("", column) for one of the run itself."""
    folded = column.strip().casefold()
    for part, spellings in _PARTS.items():
        for spelling in spellings:
            if folded == spelling:
                return part, ""
            if folded.startswith((f"{spelling}.", f"{spelling}_")) and folded not in spellings:
                return part, column.strip()[len(spelling) + 1 :]
    return "", column


def _parts(cells: Mapping[str, str]) -> dict[str, JsonObject]:
    """Return the values of a run by part and name; empty cells say nothing."""
    found: dict[str, JsonObject] = {part: {} for part in ("", *_PARTS)}
    for column, cell in cells.items():
        part, name = _part(column)
        if cell == "":
            continue
        value = parsed_cell(cell)
        if name or not isinstance(value, dict):
            found[part][name or part] = value
        else:
            found[part] |= value
    return found


def _one(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the text of one value: the only one, or that of the first of some names; "" for none."""
    folded = {name.casefold(): value for name, value in values.items()}
    name = next((name for name in names if name in folded), next(iter(folded), ""))
    return _text(folded[name]) if folded else ""


def _text(value: object) -> str:
    """Return the text of an output: of a message its content, of several messages the last one's."""
    if isinstance(value, list) and value:
        return _text(value[-1])
    if isinstance(value, dict) and "content" in value:
        return as_text(value["content"])
    return value if isinstance(value, str) else str(value)


def _number(value: object) -> object:
    """Return the number that a cell holds; what Python and JavaScript call true and false are 1 and 0."""
    if not isinstance(value, str):
        return value
    said = value.strip().casefold()
    if said in ("true", "false"):
        return said == "true"
    try:
        return float(said)
    except ValueError:
        return None
