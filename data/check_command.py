"""`python -m data check`: every fault of an exam, or what a labelled file holds and what of it is odd.

A file and what its user says of it in; out come faults, or counts, lengths and findings, and the file's card.
"""

import argparse
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from data.card import (
    CARD_SUFFIXES,
    SHIPPED,
    TRAIN_STEMS,
    TaskCard,
    card_yaml,
    is_of_side,
    is_task,
    task_source,
    with_paths,
)
from data.card_options import TASK, card_fields
from data.class_folders import has_class_folders
from data.column_names import is_known
from data.common.errors import ConfigurationError
from data.common.files import write_atomically
from data.common.options import given
from data.common.table import aligned
from data.common.terminal import emit, emit_json, say
from data.delimited import find_encoding, find_separator, read_records
from data.formats import OBJECTS, PAIRS, described, folder_kind
from data.hub_name import is_hub_name
from data.kice_check import listed_faults, read_exam
from data.line_labels import is_fasttext, labels_beside
from data.registry import keep_task, repeatable
from data.task import open_task
from data.task_check import PERCENTILES, TaskCheck, check_task

FAULTS_FOUND = 2


def check(arguments: argparse.Namespace) -> int:
    """Check a labelled file where it is one, else an exam."""
    fields = card_fields(given(arguments, TASK))
    return _check_task(arguments, fields) if _is_labelled(arguments.file, fields) else _check_exam(arguments)


def _is_labelled(name: str, fields: dict[str, Any]) -> bool:
    """Say whether a file is to be read as labelled rows: its user says something of its columns, or it looks so."""
    if name in SHIPPED or is_hub_name(name):
        return True
    path = Path(name)
    try:
        if path.is_dir():
            has_side = any(is_of_side(file.stem, TRAIN_STEMS) for file in path.iterdir())
            return (has_side or has_class_folders(path)) and folder_kind(path) is None
        known = name.lower().endswith(CARD_SUFFIXES) or bool(fields) or (path.is_file() and _may_be_labelled(path))
        return is_task(name) and known
    except OSError:  # a name that no file can have
        return False


def _may_be_labelled(path: Path) -> bool:
    """Say whether a file may hold rows with labels: a table, and none of the other kinds that are known."""
    kind, suffix = described(path), path.suffix.lower()
    if suffix in (".csv", ".tsv", ".tab", ".parquet", ".xlsx") or (suffix == ".txt" and _has_cells(path)):
        return not any(other in kind for other in set(OBJECTS.values()) - {PAIRS})
    names = kind.partition(" object with the names ")[2].split(", ")
    are_rows = " of rows with" in kind or kind.endswith(PAIRS) or sum(map(is_known, names)) > 1
    return are_rows or any(name in (*TRAIN_STEMS, "data", "0") for name in names)


def _has_cells(path: Path) -> bool:
    """Say whether a text has several rows of several cells, whatever separates these, or labels with its lines."""
    try:
        encoding, _ = find_encoding(path, None)
        if labels_beside(path) is not None or is_fasttext(path, encoding):
            return True
        separator, _ = find_separator(path, encoding)
    except ConfigurationError:
        return False
    return len(list(islice(read_records(path, encoding, separator), 2))) > 1


def _check_task(arguments: argparse.Namespace, fields: dict[str, Any]) -> int:
    """Say what a labelled file holds, and write its card, where there is none yet."""
    name = repeatable(arguments.file)
    task = open_task(task_source(name), **fields)
    keep_task(name, fields, task)
    found = check_task(task)
    prices, table = _asking(name, fields, arguments.model)
    if arguments.json:
        rows = [count._asdict() for count in found.labels]
        card = found.card.model_dump(mode="json")
        emit_json({**found._asdict(), "file": name, "labels": rows, "card": card, "asking": prices})
    else:
        _print_check(name, found)
        emit(table)
    if arguments.card is not None or not (arguments.json or name in SHIPPED or name.lower().endswith(CARD_SUFFIXES)):
        folder = Path(name).parent if name.lower().endswith(CARD_SUFFIXES) else Path()
        place = Path(f"{found.card.name}.card.yaml") if is_hub_name(name) else _beside(Path(task_source(name)))
        _write_card(found.card, folder, to=arguments.card or place)
    return 0


def _asking(name: str, fields: dict[str, Any], models: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """Return what asking the models would cost, as rows and as a table.

    A command line is where the parts meet: rendering prompts and pricing them are not the data's business.
    """
    from eval.cli.asking_prices import asking_prices, asking_table

    found = asking_prices(name, fields, models)
    return [one._asdict() for one in found], asking_table(found)


def _print_check(name: str, found: TaskCheck) -> None:
    for note in found.notes:
        say(f"{name}: {note}")
    emit(f"{name}: {found.train:,} items to learn from, {found.test:,} to measure")
    at = zip(PERCENTILES, found.lengths, strict=True)
    emit(f"characters of an item: {', '.join(f'{length:,} at {share} %' for share, length in at)}")
    if found.labels:
        counts = [(count.label, f"{count.train:,}", f"{count.test:,}") for count in found.labels]
        emit(aligned([("label", "train", "test"), *counts]))
    emit("\n".join(found.findings) or "nothing odd was found")


def _beside(path: Path) -> Path:
    return path.resolve().with_name(f"{path.resolve().stem}.card.yaml")


def _write_card(card: TaskCard, folder: Path, *, to: Path) -> None:
    """Write a card whose paths, which were from `folder`, are from where it stands, or whole."""
    target = to.resolve()
    if target.exists():
        say(f"{target} is there already, and stays as it is")
        return

    def placed(name: str) -> str:
        path = (folder / name).resolve()
        return str(path.relative_to(target.parent)) if path.is_relative_to(target.parent) else str(path)

    write_atomically(target, card_yaml(with_paths(card, placed)))
    say(f"the card is {target}: change it, and name it in the place of the file")


def _check_exam(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    found = listed_faults(path)
    is_refused = any(fault.blocks for fault in found)  # by `eval run` too
    contents = {} if is_refused else _exam_contents(path)
    if arguments.json:
        emit_json({"file": str(path), "faults": [str(fault) for fault in found], **contents})
    elif found:
        emit("\n".join(map(str, found)))
    else:
        holds = ", ".join(f"{count:g} {what}" for what, count in contents.items())
        emit(f"{path}: no faults in {holds}")
    if found:
        said = (
            f"{len(found)} fault{'s' if len(found) > 1 else ''}{'' if is_refused else ', none that keeps it from use'}"
        )
        say(f"{path}: {said}")
    return FAULTS_FOUND if is_refused else 0


def _exam_contents(path: Path) -> dict[str, float]:
    """Count what an exam file that items can be made of holds: paragraphs, problems, points."""
    exam = read_exam(path)
    problems = [problem for paragraph in exam for problem in paragraph["problems"]]
    points = math.fsum(problem["score"] for problem in problems)
    return {"paragraphs": len(exam), "problems": len(problems), "points": points}
