"""A BM25 index on disk: built once for a corpus and its settings, then opened by mapping its files into memory.

    ROOT/bm25-IDENTITY/      IDENTITY is the SHA-256 of all that decides the weights, so that an index of another
                             corpus, version or setting is another folder and never read as this one
        weights.npy          float32, documents.npy and starts.npy int32 or int64: the compressed rows of the weights
        vocabulary.json      the tokens, in the order of the rows
        index.json           what IDENTITY is made of, and each file's SHA-256

A folder appears whole or not at all, and is made by one process at a time. Nothing in it can execute: no pickle.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.common.files import faults_of_writing, locked, sha256_of, whole_folder, write_json
from data.common.packaged import cache_dir
from data.types import Frozen
from retrievers.bm25_index import Bm25Index

logger = logging.getLogger(__name__)

FORMAT = 1  # part of the identity: raise it when the files or the weights change
_REMEDY = "name a folder of yours for the index"
_INDEX, _VOCABULARY = "index.json", "vocabulary.json"
_ARRAYS = {"data": "weights.npy", "indices": "documents.npy", "indptr": "starts.npy"}  # by scipy's names of them


class IndexSettings(Frozen):
    """All that decides an index's weights.

    Attributes:
        corpus: SHA-256 of the documents' texts in their order.
        n_documents: How many they are.
        analysis: Names the tokenizer with its versions; see `retrievers.korean.analysis_identity`.
        k1: See `retrievers.bm25.Bm25Retriever`.
        b: See `retrievers.bm25.Bm25Retriever`.
        format: This module's own version.
    """

    corpus: str
    n_documents: int
    analysis: str
    k1: float
    b: float
    format: int = FORMAT


class DamagedIndexError(Exception):
    """A folder is not the index that it is named after; the message says what is wrong with it."""


def persisted_index(root: Path, settings: IndexSettings, build: Callable[[], Bm25Index]) -> Bm25Index:
    """Open the index with these settings, building it first where there is none or a damaged one.

    Args:
        root: The folder of indexes; made where it is missing.
        settings: The index's settings.
        build: Makes it in memory.

    Raises:
        ConfigurationError: The index is not there and cannot be written.
    """
    folder = index_folder(root, settings)
    index = _open_if_sound(folder, settings)
    if index is None:
        with locked(folder.with_name(f".{folder.name}.lock"), _REMEDY):
            # The process that held the lock before may have made it.
            if _open_if_sound(folder, settings, quiet=True) is None:
                built = build()
                with faults_of_writing(folder, _REMEDY):
                    write_index(folder, built, settings)
        index = open_index(folder, settings)
    return index


def cached_indexes() -> Path | None:
    """Return the folder of indexes in the project's cache; None, and a word of it, where nothing can be kept there."""
    folder = cache_dir() / "indexes"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logger.warning("indexes cannot be kept in %s (%s); going on", folder, error)
        return None
    if not os.access(folder, os.W_OK):
        logger.warning("indexes cannot be kept in %s, which cannot be written; going on", folder)
        return None
    return folder


def index_folder(root: Path, settings: IndexSettings) -> Path:
    """Return where the index with these settings lies under `root`."""
    identity = json.dumps(settings.model_dump(), sort_keys=True)
    return root / f"bm25-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def open_index(folder: Path, settings: IndexSettings) -> Bm25Index:
    """Map an index into memory after its files' SHA-256 have been checked.

    Raises:
        DamagedIndexError: A file is missing or not as it was written.
    """
    from scipy.sparse import csr_array

    try:
        described = json.loads((folder / _INDEX).read_bytes())
        if described["settings"] != settings.model_dump():
            raise DamagedIndexError(f"{_INDEX} is that of another index")
        for name in (*_ARRAYS.values(), _VOCABULARY):
            if sha256_of(folder / name) != described["sha256"][name]:
                raise DamagedIndexError(f"{name} is not as it was written")
        tokens = json.loads((folder / _VOCABULARY).read_bytes())
        parts = [_mapped(folder / name) for name in _ARRAYS.values()]
    except FileNotFoundError as error:
        raise DamagedIndexError(f"{Path(error.filename).name} is missing") from error
    except (OSError, ValueError, LookupError, RecursionError, TypeError) as error:
        raise DamagedIndexError(f"{type(error).__name__}: {error}") from error
    rows = {token: row for row, token in enumerate(tokens)}
    return Bm25Index(rows, csr_array(tuple(parts), shape=(len(rows), settings.n_documents)))


def write_index(folder: Path, index: Bm25Index, settings: IndexSettings) -> None:
    """Write an index in the place of what is in `folder`; the caller holds the lock."""
    with whole_folder(folder, alone=True) as part:
        for attribute, name in _ARRAYS.items():
            np.save(part / name, getattr(index.weights, attribute), allow_pickle=False)
        (part / _VOCABULARY).write_bytes(json.dumps(list(index.rows)).encode())
        sums = {name: sha256_of(part / name) for name in (*_ARRAYS.values(), _VOCABULARY)}
        write_json(part / _INDEX, {"settings": settings.model_dump(), "sha256": sums})


def remove_indexes(root: Path, *, corpus: str) -> None:
    """Remove the indexes of a corpus that is no more, whatever their settings; one that is in use stays mapped."""
    for described in root.glob(f"bm25-*/{_INDEX}"):
        try:
            ours = json.loads(described.read_bytes())["settings"]["corpus"] == corpus
        except (OSError, ValueError, LookupError, RecursionError, TypeError):
            continue
        if ours:
            shutil.rmtree(described.parent, ignore_errors=True)


def _open_if_sound(folder: Path, settings: IndexSettings, *, quiet: bool = False) -> Bm25Index | None:
    if not folder.exists():
        return None
    try:
        return open_index(folder, settings)
    except DamagedIndexError as error:
        if not quiet:
            logger.warning("the index %s is damaged (%s); building it again", folder, error)
        return None


def _mapped(path: Path) -> NDArray[Any]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
