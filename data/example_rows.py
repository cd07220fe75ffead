"""Labelled examples of a user's own file: rows in, items of a task whose texts and labels are known out."""

import reprlib
from collections.abc import Sequence
from pathlib import Path

from data.columns import Roles, Said, roles_of
from data.common.errors import ConfigurationError
from data.label_set import label_text
from data.question_rows import cell_text
from data.splits import cluster_of, fold
from data.table import read_tables
from data.table_types import Table
from data.types import Item


def read_example_rows(path: Path, *, texts: Sequence[str], labels: Sequence[str]) -> list[Item]:
    """Return the rows of a table as items, in the order of the file.

    Args:
        path: A table as `data.table` reads it: a column for each text of the task, by its name, and one for the label.
            Where the task has one text, its column may have any name.
        texts: The names of the texts of the task's items.
        labels: The labels of the task; case and spaces make no difference.

    Raises:
        ConfigurationError: A column is not there, a cell is empty, or a label is none of the task's.
        MissingResourceError: There is no such file.
    """
    table = read_tables(path)[0]
    roles = _roles(table, texts, where=str(path))
    names = {fold(label): label for label in labels}
    items = []
    for number, (place, row) in enumerate(table.rows):
        where = f"{path}, {place}"
        inputs = {name: cell_text(row.get(column), where=where, column=column) for name, column in roles.texts.items()}
        label = label_text(row, roles.label, where=where)
        if fold(label) not in names:
            raise ConfigurationError(f"{where}: label {reprlib.repr(label)} is none of: {', '.join(labels)}")
        target = list(labels).index(names[fold(label)])
        group = f"examples/{cluster_of(fold(' '.join(inputs.values())))}"
        items.append(Item(id=f"examples/{number}", inputs=inputs, choices=tuple(labels), target=target, group=group))
    if not items:
        raise ConfigurationError(f"{path}: there is no row to show as an example")
    return items


def _roles(table: Table, texts: Sequence[str], *, where: str) -> Roles:
    """Return which columns hold the texts of the task, by their names, and which the label."""
    columns = {fold(column): column for column in table.columns}
    if all(fold(name) in columns for name in texts):
        return roles_of(table, Said(text={name: columns[fold(name)] for name in texts}))
    if len(texts) > 1:
        raise ConfigurationError(f"{where}: an example needs a column for each text of the task: {', '.join(texts)}")
    guessed = roles_of(table)
    if guessed.kind != "classification" or len(guessed.texts) != 1:
        raise ConfigurationError(f"{where}: name the column of the text '{texts[0]}', as the task's items do")
    return guessed._replace(texts={texts[0]: next(iter(guessed.texts.values()))})
