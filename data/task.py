"""A task of one's own: a labelled file or its card in, a benchmark with its items out.

    FILE or card ─ tables ─ columns ─ items ─ splits: what is learnt from is never measured

It stands wherever a benchmark does: `load` and `BENCHMARK` are what a benchmark's module has.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from data.card import CARD_SUFFIXES, PATHS, Share, TaskCard, make_card, name_of, read_card
from data.columns import Roles, Said, roles_of
from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.hub_name import is_hub_name
from data.label_set import LabelSet, label_set, label_text
from data.question_rows import answers_count_from, cell_text, question_item
from data.splits import cluster_of, fold, split_items, unmeasured
from data.table_types import Row, Table
from data.task_files import pinned_card, stamps, task_files
from data.task_tables import side_tables
from data.text_language import language_of
from data.types import Benchmark, Item


class Rows(NamedTuple):
    """The rows of one side of a task as they are read, before labels are numbered."""

    table: Table
    roles: Roles


class LabelledRow(NamedTuple):
    """A labelled row: where it stands in its file, such as "line 7", and the item that it is."""

    place: str
    item: Item


class Task:
    """A benchmark that is made of a user's file.

    Args:
        card: What is known of the task.
        folder: Where its files are.
        source: The file that the card was read from, if it was.

    Attributes:
        rows: Every row of the file to learn from, in its order, also those that are set apart to be measured.
        notes: What was guessed and left out, a sentence each.

    Raises:
        ConfigurationError: A file, a column or a label cannot be used; one line that says which, and what to do. Or a
            file was changed while it was read.
        MissingResourceError: A file is not there.
    """

    def __init__(self, card: TaskCard, folder: Path, source: Path | None = None) -> None:
        self.card = pinned_card(card)
        self.folder = folder
        self.notes: list[str] = []
        self._of_sides = task_files(self.card.train, self.card.test, folder)
        files = [path for paths in self._of_sides.values() for path in paths if isinstance(path, Path)]
        self._files = stamps([*files, source] if source else files)
        self._sides = self._make_sides()
        if not self.is_current():
            raise ConfigurationError(f"{self.card.train} was changed while it was read; try again when it is complete")
        if card.language is None:
            self.notes.append(f"language: {self._language()} (--language names another)")

    @property
    def kind(self) -> str:
        return "classification" if self.labels else "multiple-choice"

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The class names in target order; None where each item has choices of its own."""
        return self._set.names if self._set is not None else None

    @property
    def _share(self) -> Share | None:
        """How one file is divided, if the card says that it is."""
        return self.card.test if isinstance(self.card.test, Share) else None

    @property
    def passages(self) -> Path | None:
        """Where passages are looked up; None: they are the items' own."""
        return self.folder / self.card.passages if self.card.passages is not None else None

    @property
    def full_card(self) -> TaskCard:
        """The card with what was guessed: another reading of it guesses nothing of the columns and the language."""
        roles = self._roles
        found: dict[str, Any] = {"language": self.BENCHMARK.language}
        if self.kind == "classification":
            plain = all(field == column for field, column in roles.texts.items())
            found |= {"text": tuple(roles.texts.values()) if plain else dict(roles.texts), "label": roles.label}
        else:
            found |= {"question": roles.question, "choices": roles.choices, "answer": roles.label}
            found |= {"context": roles.context, "text": dict(roles.texts)}
        return self.card.model_copy(update=found)

    def is_current(self) -> bool:
        """Say whether the task's files are still those that were read."""
        return self._files == stamps(path for path, _, _ in self._files)

    @cached_property
    def BENCHMARK(self) -> Benchmark:  # the name that every benchmark's module has
        """What is known of it, as of every benchmark."""
        n_train, n_test = (len(self._sides[side]) for side in ("train", "test"))
        return Benchmark(
            name=self.card.name,
            title=f"{self.card.name}: {n_train:,} items to learn from, {n_test:,} to measure",
            language=self.card.language or self._language(),
            labels=self.labels,
            splits=("train", "test"),
            default_split="test",
            sample_split="test",
            train_splits={"test": "train"},
            source=self.card.train,
            licence="as its card on the hub says" if is_hub_name(self.card.train) else "the user's own",
            citation="",
        )

    def load(self, split: str | None, path: Path | None) -> list[Item]:
        """Return the items of a side: "train" or "test", which is the default."""
        if path is not None:
            raise ConfigurationError(f"'{self.card.name}' has its files in its card; leave --data out")
        return self._sides[split or "test"]

    def _make_sides(self) -> dict[str, list[Item]]:
        train, test = self._rows()
        roles = self._roles = train.roles
        self._set: LabelSet | None = None
        if roles.kind == "classification":
            sides = [side for side in (train, test) if side is not None]
            files = [self._source("train"), self._source("test")][: len(sides)]
            self._set = label_set(
                [side.table for side in sides],
                [side.roles.label for side in sides],
                self.card.labels,
                where=files,
            )
            self.notes += self._set.notes
        learnt = self._items(train, "train")
        self.rows = [LabelledRow(place, item) for (place, _), item in zip(train.table.rows, learnt, strict=True)]
        if test is not None:
            measured = self._items(test, "test")
        else:
            share = self._share or Share()
            learnt, measured = split_items(
                learnt, share=share.share, stratify=share.stratify and self.labels is not None, seed=share.seed
            )
            measured = [item.model_copy(update={"id": item.id.replace("/train/", "/test/", 1)}) for item in measured]
            self.notes.append(f"{len(measured):,} of {len(learnt) + len(measured):,} items are kept to measure on")
        # Files are often sorted by label: in another order the first items are a fair sample of all.
        measured.sort(key=lambda item: cluster_of(item.id))
        return {"train": self._unseen(learnt, measured), "test": measured}

    def _rows(self) -> tuple[Rows, Rows | None]:
        """Return the rows that are learnt from, and those that are measured where they are in a file of their own."""
        tables, self._sources, notes = side_tables(self._of_sides, self.card, self._named())
        self.notes += notes
        rows: dict[str, Rows] = {}
        for side, table in tables.items():
            if not table.rows:
                reason = f"that can be read; its first fault: {table.faults[0]}" if table.faults else "below its header"
                raise ConfigurationError(f"{self._source(side)} has no rows {reason}")
            self._note(side, table)
            self._check_share(table, has_test="test" in tables)
            said = self.card.said
            if side == "test":
                said = self._said_by(rows["train"].roles)
                self._check_columns(table, rows["train"].roles)
            rows[side] = Rows(table, roles_of(table, said))
        self.notes += rows["train"].roles.notes
        return rows["train"], rows.get("test")

    def _check_share(self, table: Table, *, has_test: bool) -> None:
        """Refuse a share where nothing is divided, and a column of groups that is not there."""
        if self._share is not None and has_test:
            raise ConfigurationError(
                f"{self.card.train} has its own rows to measure, and a share or a group is to be, too; leave --test "
                "and --group out"
            )
        group = self._share.group if self._share else None
        if group is not None and group not in table.columns:
            raise unknown_name("column", group, table.columns)

    def _check_columns(self, table: Table, roles: Roles) -> None:
        """Refuse rows to measure that lack a column of those to learn from: most often, their labels are not known."""
        wanted = [*roles.texts.values(), roles.label, *roles.choices, *filter(None, (roles.question,))]
        if lacking := [name for name in wanted if name not in table.columns]:
            raise ConfigurationError(
                f"{self._source('test')} has no column '{lacking[0]}', which {self._source('train')} has; it has: "
                f"{', '.join(table.columns[:12])}. Without labels nothing can be measured: --test 0.2 measures a share "
                "of the rows to learn from, where their file is named"
            )

    def _source(self, side: str) -> str:
        """Return the file of a side, for messages."""
        return self._sources.get(side, self._sources["train"])

    def _named(self) -> set[str]:
        """Return the columns that the card names."""
        said, group = self.card.said, self._share.group if self._share else None
        texts = said.text.values() if isinstance(said.text, Mapping) else said.text
        return {*texts, *said.choices, *filter(None, (said.label, said.question, said.answer, said.context, group))}

    def _group_of(self, row: Row) -> str | None:
        """Return the group that the card says that a row is of; None where it says nothing."""
        group = self._share.group if self._share else None
        return None if group is None else f"{self.card.name}/{cluster_of(str(row.get(group)))}"

    def _said_by(self, roles: Roles) -> Said:
        """Return the columns of the training side, which the test side must have too."""
        said = self.card.said
        if roles.kind == "classification":
            return said._replace(text=dict(roles.texts), label=roles.label)
        return said._replace(question=roles.question, choices=roles.choices, answer=roles.label, context=roles.context)

    def _note(self, side: str, table: Table) -> None:
        self.notes += [note for note in table.notes if note not in self.notes]
        if table.faults:
            if len(table.faults) > max(len(table.rows) // 100, 1):
                raise table.faults[0]
            self.notes.append(f"left out {len(table.faults)} malformed rows of {side}, first: {table.faults[0]}")

    def _items(self, rows: Rows, side: str) -> list[Item]:
        """Return the rows of a side as items; where some cannot be, the first fault is raised with their number."""
        items, faults = [], []
        answers_from = self._answers_from(rows) if rows.roles.kind == "multiple-choice" else None
        for number, (place, row) in enumerate(rows.table.rows):
            about = {"item_id": f"{self.card.name}/{side}/{number}", "where": f"{self._source(side)}, {place}"}
            try:
                if rows.roles.kind == "multiple-choice":
                    item = question_item(row, rows.roles, answers_from=answers_from, **about)
                    items.append(item.model_copy(update={"group": self._group_of(row) or item.group}))
                else:
                    items.append(self._labelled_item(row, rows.roles, **about))
            except ConfigurationError as fault:
                faults.append(fault)
        if len(faults) > 1:
            raise ConfigurationError(f"{faults[0]}; {len(faults) - 1:,} more rows cannot be used either")
        if faults:
            raise faults[0]
        return items

    def _answers_from(self, rows: Rows) -> int | None:
        """Return what answers that are numbers count from, as the card says or as they can only be meant."""
        if self.card.answers_from is not None:
            return self.card.answers_from
        return answers_count_from((row for _, row in rows.table.rows), rows.roles)

    def _labelled_item(self, row: Row, roles: Roles, *, item_id: str, where: str) -> Item:
        inputs = {
            field: cell_text(row.get(column), where=where, column=column) for field, column in roles.texts.items()
        }
        assert self._set is not None  # else the items have choices of their own
        label = self._set.spelt[label_text(row, roles.label, where=where)]
        names, own = self._set.names, cluster_of("\n".join(map(fold, inputs.values())))
        group = self._group_of(row) or f"{self.card.name}/{own}"
        return Item(id=item_id, inputs=inputs, choices=names, target=names.index(label), group=group)

    def _unseen(self, learnt: list[Item], measured: list[Item]) -> list[Item]:
        unseen = unmeasured(learnt, measured)
        if dropped := len(learnt) - len(unseen):
            self.notes.append(f"{dropped:,} items to learn from are also measured: left out")
        if not unseen:
            raise ConfigurationError(f"every item of {self.card.train} is measured too; nothing is left to learn from")
        return unseen

    def _language(self) -> str:
        return language_of(text for item in self._sides["train"][:500] for text in item.inputs.values())


def open_task(source: str | Path, **fields: Any) -> Task:
    """Return the task of a card, or of a labelled file, folder or hub name of which `fields` say what a card would.

    Raises:
        ConfigurationError: The file is of another kind, or something in it cannot be used.
        MissingResourceError: There is no such file.
    """
    given = {name: value for name, value in fields.items() if value not in (None, (), {}, "")}
    if is_hub_name(str(source)):
        return Task(make_card({"name": name_of(source), "train": str(source), **given}, where=str(source)), Path())
    path = Path(source)
    if path.suffix.lower() in CARD_SUFFIXES:
        card = read_card(path)
        if isinstance(given.get("test"), dict) and isinstance(card.test, Share):
            given["test"] = {**card.test.model_dump(), **given["test"]}
        named = {name: value for name in PATHS if isinstance(value := given.get(name), str) and not is_hub_name(value)}
        # What a user names on the command line is from where they are.
        given |= {name: str(Path(value).resolve()) for name, value in named.items()}
        card = make_card({**card.model_dump(), **given}, where=str(path)) if given else card
        return Task(card, path.parent, path)
    if not path.exists():
        raise MissingResourceError(f"there is no file or folder {path}")
    return Task(make_card({"name": name_of(path), "train": str(path.resolve()), **given}, where=str(path)), Path())
