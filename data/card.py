"""The card of a task of one's own: where its rows are, what their columns mean, and what its labels are called.

A card is a YAML file such as

    name: tickets
    train: train.csv
    test: {share: 0.2}
    text: [subject, body]
    label: category
    labels: {refund: {means: "wants money back", also: [refunds]}}

Every field has a flag of the same name, and what was guessed is written into it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from data.columns import Said
from data.common.errors import ConfigurationError
from data.common.parsing import read_yaml
from data.hub_name import ONLY_CONFIG, HubName, is_hub_name
from data.table import SUFFIXES
from data.types import Frozen, Text

# Tasks that ship with the project, by the name that stands for their folder.
SHIPPED = {"banking77-sample": Path(__file__).parent / "samples" / "banking77"}
CARD_SUFFIXES = (".yaml", ".yml")
PATHS = ("train", "test", "passages")  # the fields of a card that name a file or a folder
TRAIN_STEMS = ("train", "train_val", "training")
TEST_STEMS = ("test", "eval", "validation", "valid", "val", "dev")
_NAME = re.compile(r"[^\W_][\w.-]{0,63}")


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _as_character(value: object) -> object:
    """Take what a shell passes on for a tab, which it cannot be given as such, for one."""
    return "\t" if value in ("\\t", "tab") else value


def _as_number(value: object) -> object:
    """Take a text that is a number for the number; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return int(value) if value.isdecimal() else float(value)
    except ValueError:
        return value


def _label_name(name: object) -> str:
    """Return the name of a label that was read from YAML."""
    if isinstance(name, bool):
        raise ValueError(f"YAML reads yes, no, on and off as {name}; put a label of that name in quotes")
    return "null" if name is None else str(name)


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


# The card's classes are built when they are first used: most runs read no card, and it takes 20 ms.
class Share(Frozen, defer_build=True):
    """How much of one file is measured, and how it is divided.

    Attributes:
        share: The share of the items that is measured, between 0 and 1.
        stratify: Give each label the same share.
        group: The column whose rows of one value stay on one side.
        seed: The same seed divides the items in the same way.
    """

    share: float = Field(default=0.2, gt=0, lt=1)
    stratify: bool = True
    group: str | None = None
    seed: int = 13


class LabelCard(Frozen, defer_build=True):
    """What a label means, for a model that is shown it, and how else it may be written."""

    means: Text | None = None
    also: tuple[Text, ...] = ()


class TaskCard(Frozen, defer_build=True):
    """Everything that is known of a task.

    Attributes:
        name: It becomes part of the ids of items and of folders.
        train: The file or folder that is learnt from, beside the card, or a data set on the hub (`data.hub_name`).
        test: The file or data set that is measured, or the share of `train` that is; None: a file or split beside
            `train`, or a share.
        text: The columns of the texts, or the name that each text is to have and its column.
        label: The column of the label.
        question: The column of a multiple-choice question; `choices`, `answer` and `context` name the other columns.
        answers_from: Whether numbers as answers count from 0 or from 1.
        labels: What each label means and how else it is written; they are in this order.
        passages: The file or folder that is looked up in by chains that retrieve; None: the items' own passages.
        language: The language of the texts, as a BCP 47 code.
        columns: The names of the columns of a file without a header.
        encoding: How the files are encoded.
        separator: What separates their cells.
    """

    name: str = Field(pattern=_NAME.pattern)
    train: str
    test: str | Share | None = None
    text: Names | dict[str, str] = ()
    label: str | None = None
    question: str | None = None
    choices: Names = ()
    answer: str | None = None
    context: str | None = None
    answers_from: Annotated[Literal[0, 1] | None, BeforeValidator(_as_number)] = None
    labels: dict[str, LabelCard] = Field(default_factory=dict)
    passages: str | None = None
    language: str | None = None
    columns: Names = ()
    encoding: str | None = None
    separator: Annotated[str | None, BeforeValidator(_as_character)] = Field(default=None, min_length=1, max_length=1)

    @property
    def meanings(self) -> dict[str, str]:
        """What labels mean, by label, as far as the card says it."""
        return {name: about.means for name, about in self.labels.items() if about.means}

    @model_validator(mode="before")
    @classmethod
    def _labels_may_be_a_list(cls, content: Any) -> Any:
        """Take a list of labels, or labels with their meanings alone, for labels of which no more is known."""
        if not isinstance(content, dict):
            return content
        test = _as_number(content.get("test"))
        if isinstance(test, int | float):
            content = {**content, "test": {"share": test}}
        labels = content.get("labels")
        if isinstance(labels, list):
            return {**content, "labels": {_label_name(name): {} for name in labels}}
        if not isinstance(labels, dict):
            return content
        about = {_label_name(name): {"means": it} if isinstance(it, str) else it or {} for name, it in labels.items()}
        return {**content, "labels": about}

    @property
    def said(self) -> Said:
        """What the card says of the columns."""
        return Said(self.text, self.label, self.question, self.choices, self.answer, self.context)


def read_card(path: Path) -> TaskCard:
    """Read a task card.

    Raises:
        ConfigurationError: It cannot be read, or a field of it is unknown or unusable; one line that names it.
    """
    content = read_yaml(path, kind="task card", as_written=True).content
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} is no task card: it needs at least 'train: FILE'")
    return make_card({"name": name_of(path), **content}, where=str(path))


def make_card(fields: Mapping[str, Any], *, where: str) -> TaskCard:
    """Return a card of what is known; `where` is what a message about a field begins with.

    Raises:
        ConfigurationError: A field is unknown or unusable.
    """
    try:
        return TaskCard.model_validate(dict(fields))
    except ValidationError as error:
        fault = max(
            error.errors(), key=lambda one: len(one["loc"])
        )  # the most exact, where a field may be of two kinds
        place = ".".join(map(str, fault["loc"])) or "card"
        raise ConfigurationError(f"{where}: {place}: {fault['msg']}") from None


def card_yaml(card: TaskCard) -> str:
    """Return a card as the YAML that `read_card` reads, without what is as it would be anyway."""
    content = card.model_dump(mode="json", exclude_defaults=True)
    content["labels"] = {
        name: {k: v for k, v in about.items() if v} for name, about in content.get("labels", {}).items()
    }
    content = {name: value for name, value in content.items() if value not in ({}, [])}
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)


def with_paths(card: TaskCard, placed: Callable[[str], str]) -> TaskCard:
    """Return a card in which each file or folder that it names is what `placed` makes of its path."""
    found = {name: value for name in PATHS if isinstance(value := getattr(card, name), str)}
    return card.model_copy(update={name: placed(path) for name, path in found.items() if not is_hub_name(path)})


def name_of(source: str | Path) -> str:
    """Return a name for a task after its file, folder or data set, with nothing that a folder's name cannot hold."""
    if is_hub_name(str(source)):
        found = HubName.parse(str(source))
        config = found.config if found.config != ONLY_CONFIG else None
        stem = "-".join(filter(None, (found.repository.rpartition("/")[2], config)))
    else:
        path = Path(source)
        stem = path.stem if path.stem not in ("train", "data", "dataset", "all") else path.resolve().parent.name
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-._")[:64]
    return name if _NAME.fullmatch(name) else "task"


def is_task(name: str) -> bool:
    """Say whether a benchmark's name is that of a task of one's own: a table, a folder of them, a hub name, a card."""
    if name in SHIPPED or is_hub_name(name) or not name:
        return bool(name)
    path = Path(name)
    if name.lower().endswith(SUFFIXES) or (path.is_dir() and ("/" in name or _holds_tables(path))):
        return True
    return name.lower().endswith(CARD_SUFFIXES) and path.is_file() and is_card(path)


def _holds_tables(folder: Path) -> bool:
    """Say whether a folder with a plain name, which may be that of a package or a suite too, is one of tables."""
    files = list(folder.iterdir())
    tables = [path.stem for path in files if path.suffix.lower() in SUFFIXES or path.is_dir()]
    return any(is_of_side(stem, TRAIN_STEMS) for stem in tables) and folder / "__init__.py" not in files


def is_of_side(stem: str, stems: Sequence[str]) -> bool:
    """Say whether a file's name without its suffix is one of some, or ends with one, as "fci_train" does.

    It may be that of one of several parts, too: "train-00000-of-00002".
    """
    stem = re.sub(r"-\d+-of-\d+$", "", stem.casefold())
    return any(stem == one or stem.endswith(f"_{one}") for one in stems)


def task_source(name: str) -> str | Path:
    """Return where a task of that name is: a path, or a data set on the hub."""
    return SHIPPED.get(name, name)


def is_card(path: Path) -> bool:
    """Say whether a YAML file is a task's card and not a suite."""
    content = read_yaml(path, kind="file").content
    return isinstance(content, dict) and "train" in content and "evaluations" not in content
