"""Which files a task of one's own is made of: what is learnt from, and what is measured, if that is a file of its own.

A file or folder and what the card says in, the files of each side out: one, or the parts of one.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from data.card import TEST_STEMS, TRAIN_STEMS, Share, TaskCard, is_of_side
from data.class_folders import has_class_folders
from data.common.errors import ConfigurationError, MissingResourceError
from data.hub_name import HubName, is_hub_name
from data.hub_tables import pinned
from data.table import SUFFIXES

Source = Path | HubName  # a file, a folder, or a data set on the hub
Files = dict[str, tuple[Source, ...]]  # of "train", and of "test" where it has files of its own
_PART = re.compile(r"(?P<name>.+)-\d+-of-(?P<parts>\d+)")  # as the hub's large files are named


def task_files(source: str, test: str | Share | None, folder: Path) -> Files:
    """Return the files of each side; of "test" only where it is in one of its own.

    A side may be a folder with a folder of texts for each label, or a data set on the hub.

    Raises:
        ConfigurationError: A share is to be measured, and a file is there for that; or a part of a file is not.
        MissingResourceError: A folder holds nothing to learn from.
    """
    train = _placed(source, folder)
    if isinstance(test, str):
        return {"train": _parts(train), "test": _parts(_placed(test, folder))}
    if isinstance(train, HubName) or not train.is_dir():
        return {"train": _parts(train)}
    found = _sides(train)
    if "train" not in found and has_class_folders(train):
        return {"train": (train,)}
    if "train" not in found:
        held = ", ".join(sorted(path.name for path in train.iterdir())[:12])
        raise MissingResourceError(f"{train} has no file to learn from (train.csv or the like); it holds: {held}")
    if "test" in found and test is not None:
        raise ConfigurationError(
            f"{found['test']} is there to be measured, and a share or a group is to be, too; leave --test and --group "
            "out, or name the file to learn from"
        )
    return {side: _parts(path) for side, path in found.items()}


def pinned_card(card: TaskCard) -> TaskCard:
    """Return a card whose data sets on the hub are named with the commit that they are read at."""
    named = {side: name for side in ("train", "test") if isinstance(name := getattr(card, side), str)}
    found = {side: str(pinned(HubName.parse(name))) for side, name in named.items() if is_hub_name(name)}
    return card.model_copy(update=found) if found else card


def _placed(source: str, folder: Path) -> Source:
    return HubName.parse(source) if is_hub_name(source) else folder / source


def _sides(folder: Path) -> dict[str, Path]:
    """Return the file or the folder of each side, where there is one, by their names."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES or path.is_dir()]
    able = {path.stem.casefold(): path for path in paths if path.is_file() or has_class_folders(path)}
    found = {}
    for side, stems in (("train", TRAIN_STEMS), ("test", TEST_STEMS)):
        path = next((able[stem] for stem in stems if stem in able), None)
        path = path or next((file for stem, file in able.items() if is_of_side(stem, stems)), None)
        if path is not None:
            found[side] = path
    return found


def _parts(path: Source) -> tuple[Source, ...]:
    """Return all parts of a file that is named as one of several, such as train-00000-of-00002.parquet."""
    part = None if isinstance(path, HubName) else _PART.fullmatch(path.stem)
    if isinstance(path, HubName) or part is None:
        return (path,)
    siblings = [
        file
        for file in path.parent.iterdir()
        if (found := _PART.fullmatch(file.stem)) and found["name"] == part["name"]
    ]
    parts = tuple(sorted(file for file in siblings if file.suffix == path.suffix))
    if parts and len(parts) != int(part["parts"]):
        raise ConfigurationError(f"{path} is one of {int(part['parts'])} parts, of which {len(parts)} are there")
    return parts or (path,)


def stamps(paths: Iterable[Path]) -> list[tuple[Path, int, int]]:
    """Return files with their size and time of change; of one that is gone, 0."""
    known = [(path, path.stat() if path.exists() else None) for path in paths]
    return [(path, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0) for path, stat in known]
