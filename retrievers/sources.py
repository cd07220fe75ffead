"""Passages from what a user has: texts, Markdown, web pages, rows of JSON, an exam, KorQuAD, a retrieval set's folder.

In comes a path, out come passages with unique ids. What kind of file it is follows from its name and first character.
"""

from collections.abc import Sequence
from pathlib import Path

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import open_bytes
from data.common.text import normalised
from data.delimited import find_encoding
from data.rows import read_rows, required_text
from data.types import Passage
from retrievers.html_text import html_text

PASSAGES_FILE = "passages.jsonl"  # in the folder of a retrieval set
KINDS = "a .jsonl of passages, a .txt, .md or .html, a KICE exam or KorQuAD as .json, or a folder of them"
_PAGES = (".html", ".htm")
_TEXTS = (".txt", ".md", ".markdown", *_PAGES)


def read_passages(path: Path) -> list[Passage]:
    """Read passages from a file or a folder.

    Args:
        path: `.jsonl`: a passage a line, {"id": …, "text": …}. `.txt`, `.md` or `.html`: one passage. `.json`: a KICE
            exam (a list) or a file in KorQuAD's format (an object). A folder: its passages.jsonl; else its exams, or
            all texts and rows within it, each text a passage named as its file.

    Raises:
        ConfigurationError: It is of another kind or of several, or malformed; the message names the file and the place.
        MissingResourceError: There is nothing at the path, or nothing of these kinds in the folder.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise MissingResourceError(f"there is no {path}; name {KINDS}")
    if path.suffix.lower() == ".jsonl":
        return _read_rows(path)
    if path.suffix.lower() in _TEXTS:
        return [Passage(id=normalised(path.stem), text=_read_text(path))]
    if path.suffix.lower() == ".json":
        return _read_json(path)
    raise ConfigurationError(f"{path}: cannot read '{path.suffix}' files; name {KINDS}")


def _read_folder(folder: Path) -> list[Passage]:
    if (folder / PASSAGES_FILE).is_file():
        return _read_rows(folder / PASSAGES_FILE)
    exams = any(folder.glob("*.json"))
    found = (path for path in folder.rglob("*") if path.suffix.lower() in (*_TEXTS, ".jsonl") and path.is_file())
    files = sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    if exams and any(path.parent == folder for path in files):
        raise ConfigurationError(
            f"the folder {folder} holds texts (.txt, .md …) and .json files; name one file, or another folder"
        )
    if exams:
        from data.kice import load_retrieval

        return list(load_retrieval(folder).passages)
    if not files:
        raise MissingResourceError(f"the folder {folder} holds nothing to index; name {KINDS}")
    return _read_files(folder, files)


def _read_files(folder: Path, files: Sequence[Path]) -> list[Passage]:
    """Read the texts and rows of a folder: a passage is named as its file, and a row with its own id behind that."""
    names = [normalised(str(path.relative_to(folder).with_suffix(""))) for path in files]  # a Mac writes NFD
    passages = []
    for path, name in zip(files, names, strict=True):
        unique = name if names.count(name) == 1 else normalised(str(path.relative_to(folder)))
        if path.suffix.lower() == ".jsonl":
            rows = _read_rows(path)
            passages += [passage.model_copy(update={"id": f"{unique}/{passage.id}"}) for passage in rows]
        else:
            passages.append(Passage(id=unique, text=_read_text(path)))
    return passages


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
    """Return the text of a file, that of a page without its markup."""
    try:
        encoding, _ = find_encoding(path, None)
        text = path.read_text(encoding=encoding)
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from error
    return html_text(text) if path.suffix.lower() in _PAGES else text


def _read_json(path: Path) -> list[Passage]:
    from data import kice, korquad

    try:
        with open_bytes(path) as file:
            starts_an_object = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from error
    return list((korquad if starts_an_object else kice).load_retrieval(path).passages)
