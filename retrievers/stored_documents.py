"""Documents on disk, so that an index can be searched without the files it was made of.

    FOLDER/documents.json            which file is the present one, its SHA-256 and that of the texts in it
    FOLDER/documents-SHA256.jsonl    a document a line: id, text, metadata

documents.json is replaced in one step, after the file that it names is whole: a kill leaves the former documents or
the new ones. Opening maps the file; a document is made when it is asked for, so 100,000 cost no time and no memory.
"""

import hashlib
import json
import operator
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from langchain_core.documents import Document
from numpy.typing import NDArray
from pydantic import Field

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing, locked, replace_file, sha256_of
from data.common.parsing import parse_json
from data.types import Frozen
from retrievers.korean import UserWords

FORMAT = 1
_POINTER = "documents.json"
_OWN = ("documents", ".documents", "bm25-", ".bm25-")  # how all that the project writes to such a folder is named
_NEWLINE = ord("\n")


class Stored(Frozen):
    """What documents.json says.

    Attributes:
        format: This module's version.
        file: The file's name.
        sha256: The file's SHA-256.
        texts: See `texts_fingerprint`.
        user_words: Words of the documents that BM25 is to know.
    """

    format: int
    file: str = Field(pattern=r"^documents-[0-9a-f]{32}\.jsonl$")
    sha256: str
    texts: str
    user_words: UserWords = ()


class StoredDocuments(Sequence[Document]):
    """The documents of a folder, read one by one when they are asked for.

    Attributes:
        fingerprint: As `texts_fingerprint` would compute it.
        user_words: Words of the documents that BM25 is to know.
    """

    def __init__(self, path: Path, stored: Stored) -> None:
        self._path = path
        self.fingerprint = stored.texts
        self.user_words = stored.user_words
        self._bytes: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
        self._ends = np.flatnonzero(self._bytes == _NEWLINE)  # (n_documents,): JSON has no line break of its own

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> Document: ...
    @overload
    def __getitem__(self, at: slice) -> list[Document]: ...
    def __getitem__(self, at: int | slice) -> Document | list[Document]:
        if isinstance(at, slice):
            return [self[place] for place in range(len(self))[at]]
        place = range(len(self))[operator.index(at)]
        start = self._ends[place - 1] + 1 if place else 0
        try:
            row = json.loads(self._bytes[start : self._ends[place]].tobytes())
            return Document(id=row["id"], page_content=row["text"], metadata=row["metadata"])
        except (LookupError, RecursionError, TypeError, ValueError) as error:
            raise _damaged(self._path.parent, f"{self._path.name}, line {place + 1}") from error


def texts_fingerprint(documents: Sequence[Document]) -> str:
    """Return the SHA-256 (hex) over the documents' texts in their order: equal exactly for equal texts."""
    if isinstance(documents, StoredDocuments):
        return documents.fingerprint
    digest = hashlib.sha256()
    for document in documents:
        text = document.page_content.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


def holds_documents(folder: Path) -> bool:
    """Say whether documents were stored in the folder."""
    return (folder / _POINTER).is_file()


def open_documents(folder: Path) -> StoredDocuments:
    """Open the documents of a folder after the file's SHA-256 has been checked.

    Raises:
        ConfigurationError: They are not there, were written by another version, or are damaged.
    """
    try:
        pointer: Any = parse_json((folder / _POINTER).read_text(encoding="utf-8"))
        if isinstance(pointer, dict) and pointer.get("format", FORMAT) != FORMAT:
            raise ConfigurationError(
                f"{folder} was indexed by another version (format {reprlib.repr(pointer['format'])}, this one reads "
                f"{FORMAT}); run `python -m retrievers index` again"
            )
        stored = Stored.model_validate(pointer)
        path = folder / stored.file
        whole = sha256_of(path) == stored.sha256
    except (OSError, ValueError) as error:
        raise _damaged(folder, Path(getattr(error, "filename", None) or _POINTER).name) from error
    if not whole:
        raise _damaged(folder, path.name)
    return StoredDocuments(path, stored)


def write_documents(
    folder: Path, documents: Sequence[Document], *, user_words: UserWords = ()
) -> tuple[StoredDocuments, str | None]:
    """Store documents in a folder in place of those that are there.

    Args:
        folder: Made where it is missing; it must be empty or hold stored documents.
        documents: At least one; their metadata must be JSON.
        user_words: Words of the documents that BM25 is to know.

    Returns:
        The stored documents, and the fingerprint of the former ones where they are no more.

    Raises:
        ConfigurationError: The folder holds something else, or cannot be written.
    """
    remedy = "name another folder"
    with faults_of_writing(folder, remedy):
        _check_own(folder)
        with locked(folder / ".documents.lock", remedy):
            former = _former(folder)
            stored = _store(folder, documents, user_words)
    gone = former.texts if former is not None and former.texts != stored.texts else None
    return StoredDocuments(folder / stored.file, stored), gone


def _store(folder: Path, documents: Sequence[Document], user_words: UserWords) -> Stored:
    part, digest = folder / ".documents.part", hashlib.sha256()
    with part.open("wb") as file:
        for document in documents:
            line = _line(document)
            digest.update(line)
            file.write(line)
    sha256 = digest.hexdigest()
    stored = Stored(
        format=FORMAT,
        file=f"documents-{sha256[:32]}.jsonl",
        sha256=sha256,
        texts=texts_fingerprint(documents),
        user_words=user_words,
    )
    part.replace(folder / stored.file)
    replace_file(folder / _POINTER, stored.model_dump_json(indent=2) + "\n")
    for path in folder.glob("documents-*.jsonl"):
        if path.name != stored.file:
            path.unlink()
    return stored


def _check_own(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and all(path.name.startswith(_OWN) for path in folder.iterdir())):
        raise ConfigurationError(f"'{folder}' exists and is no index; name another folder, or remove it")


def _former(folder: Path) -> Stored | None:
    try:
        return Stored.model_validate_json((folder / _POINTER).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _line(document: Document) -> bytes:
    row = {"id": document.id, "text": document.page_content, "metadata": document.metadata}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _damaged(folder: Path, name: str) -> ConfigurationError:
    return ConfigurationError(f"the index {folder} is damaged at {name}; run `python -m retrievers index` again")
