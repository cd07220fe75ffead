"""Which files a task of one's own is made of: what is learnt from, and what is measured, if that is a file of its own.

A file or folder and what the card says in, a path a side out.
"""

from collections.abc import Iterable
from pathlib import Path

from data.card import TEST_STEMS, TRAIN_STEMS, Share, is_of_side
from data.common.errors import ConfigurationError, MissingResourceError
from data.table import SUFFIXES


def task_files(train: Path, test: str | Share | None, folder: Path) -> dict[str, Path]:
    """Return the file of each side; of "test" only where it is in one of its own."""
    if isinstance(test, str):
        return {"train": train, "test": folder / test}
    if not train.is_dir():
        return {"train": train}
    files = {path.stem.casefold(): path for path in sorted(train.iterdir()) if path.suffix.lower() in SUFFIXES}
    found = {}
    for side, stems in (("train", TRAIN_STEMS), ("test", TEST_STEMS)):
        path = next((files[stem] for stem in stems if stem in files), None)
        path = path or next((file for stem, file in files.items() if is_of_side(stem, stems)), None)
        if path is not None and side == "test" and test is not None:
            raise ConfigurationError(
                f"{path} is there to be measured, and a share or a group is to be, too; leave --test and --group out, "
                "or name the file to learn from"
            )
        if path is not None:
            found[side] = path
    if "train" not in found:
        raise MissingResourceError(
            f"{train} has no file to learn from (train.csv or the like); it holds: {', '.join(files)}"
        )
    return found


def stamps(paths: Iterable[Path]) -> list[tuple[Path, int, int]]:
    """Return files with their size and time of change; of one that is gone, 0."""
    known = [(path, path.stat() if path.exists() else None) for path in paths]
    return [(path, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0) for path, stat in known]
