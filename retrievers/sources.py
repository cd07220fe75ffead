"""Passages from what a user has: rows of JSON, text files, an exam, KorQuAD, a retrieval set's folder.

In comes a path, out come passages with unique ids. What kind of file it is follows from its name and first character.
"""

from pathlib import Path

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import open_bytes, read_text
from data.common.text import normalised
from data.rows import read_rows, required_text
from data.types import Passage

PASSAGES_FILE = "passages.jsonl"  # in the folder of a retrieval set
KINDS = "a .jsonl of passages, a .txt, a KICE exam or KorQuAD as .json, or a folder of .txt or of exams"


def read_passages(path: Path) -> list[Passage]:
    """Read passages from a file or a folder.

    Args:
        path: `.jsonl`: a passage a line, {"id": …, "text": …}. `.txt`: one passage. `.json`: a KICE exam (a list) or
            a file in KorQuAD's format (an object). A folder: its passages.jsonl; else its exams, or its
            `.txt` files, each a passage named as the file; else the `.txt` files of folders within it.

    Raises:
        ConfigurationError: It is of another kind or of several, or malformed; the message names the file and the place.
        MissingResourceError: There is nothing at the path, or nothing of these kinds in the folder.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise MissingResourceError(f"there is no {path}; name {KINDS}")
    if path.suffix == ".jsonl":
        return _read_rows(path)
    if path.suffix == ".txt":
        return [Passage(id=normalised(path.stem), text=_read_text(path))]
    if path.suffix == ".json":
        return _read_json(path)
    raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; name {KINDS}")


def _read_folder(folder: Path) -> list[Passage]:
    if (folder / PASSAGES_FILE).is_file():
        return _read_rows(folder / PASSAGES_FILE)
    texts, exams = list(folder.glob("*.txt")), any(folder.glob("*.json"))
    if texts and exams:
        raise ConfigurationError(
            f"the folder {folder} holds both .txt and .json files; name one file, or another folder"
        )
    texts = sorted(texts if texts or exams else folder.rglob("*.txt"))
    if texts:
        names = (normalised(str(path.relative_to(folder).with_suffix(""))) for path in texts)  # a Mac writes NFD
        return [Passage(id=name, text=_read_text(path)) for name, path in zip(names, texts, strict=True)]
    if not exams:
        raise MissingResourceError(f"the folder {folder} holds nothing to index; name {KINDS}")
    from data.kice import load_retrieval

    return list(load_retrieval(folder).passages)


def _read_rows(path: Path) -> list[Passage]:
    passages: dict[str, Passage] = {}
    for place, row in read_rows(path):
        name = required_text(path, place, row, "id")
        if name in passages or not name:
            raise ConfigurationError(f"{path}, {place}: id {name!r} is {'repeated' if name else 'empty'}")
        passages[name] = Passage(id=name, text=required_text(path, place, row, "text"))
    if not passages:
        raise ConfigurationError(f"{path}: is empty")
    return list(passages.values())


def _read_text(path: Path) -> str:
    try:
        return read_text(path)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from error


def _read_json(path: Path) -> list[Passage]:
    from data import kice, korquad

    try:
        with open_bytes(path) as file:
            starts_an_object = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from error
    return list((korquad if starts_an_object else kice).load_retrieval(path).passages)
