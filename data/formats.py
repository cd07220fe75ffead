"""What a file or folder is that is not what was asked for, so that a message can say it.

In comes a path, out comes a phrase such as "JSON Lines of NLI pairs". Nothing is decided by it: readers read what they
are given, and only name it so where they cannot.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from data.common.files import open_bytes, read_text
from data.common.parsing import JsonObject, parse_json
from data.common.text import mentioned

DAMAGED = "JSON that is damaged"
EXAM_PARAGRAPHS = "an exam's paragraphs"
PAIRS = "NLI pairs"
_LOOKED_AT = 1 << 16  # bytes of a file
_NAMED = 6  # of many names, so many are said
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\xff\xfe": "text in UTF-16, expected UTF-8",
    b"\xfe\xff": "text in UTF-16, expected UTF-8",
    b"SQLite format 3": "an SQLite database",
    b"version https://git-lfs": "a Git LFS pointer and not the file itself",
}
# The first whose every file is in a folder.
_FOLDERS = {
    ("manifest.json",): "a run's folder",
    ("config.json", "model.safetensors"): "a checkpoint's folder",
    ("corpus.jsonl", "queries.jsonl"): "a retrieval set in BEIR's layout",
    ("passages.jsonl", "queries.jsonl"): "a retrieval set",
    ("documents.json",): "an index of passages",
}
# The first whose every name an object has.
OBJECTS = {
    ("paragraph", "problems"): EXAM_PARAGRAPHS,
    ("premise", "hypothesis"): PAIRS,
    ("sentence1", "sentence2"): PAIRS,
    ("item", "system"): "a run's records",
    ("_id", "text"): "passages or queries in BEIR's layout",
    ("query-id", "corpus-id"): "judgements in BEIR's layout",
    ("query", "passage"): "judgements of a retrieval set",
    ("id", "output"): "recorded replies",
    ("id", "text"): "passages or queries",
    ("evaluations",): "a suite",
}


def described(path: Path) -> str:
    """Say what a file or folder seems to be, in a few words that follow "is"."""
    if path.is_dir():
        return folder_kind(path) or "a folder"
    try:
        with open_bytes(path) as file:
            start = file.read(_LOOKED_AT)
    except OSError:
        return "unreadable"
    return binary_kind(start) or _text(start.decode("utf-8-sig", "replace").lstrip(), path)


def folder_kind(path: Path) -> str | None:
    """Say what a folder is by the files in it; None where they do not tell."""
    return next((kind for files, kind in _FOLDERS.items() if all((path / file).is_file() for file in files)), None)


def binary_kind(start: bytes) -> str | None:
    """Say what a file is by its first bytes; None where they do not tell that it is no text in UTF-8."""
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    return kind or ("a binary file and no text" if b"\0" in start else None)


def undecodable(path: Path, error: UnicodeDecodeError) -> str:
    """Say what a file is that cannot be read as UTF-8, in one line that names it."""
    with path.open("rb") as file:
        kind = binary_kind(file.read(_LOOKED_AT))
    return f"{path} is {kind}" if kind else f"{path}: not UTF-8 text ({error.reason} at byte {error.start})"


def folder_contents(path: Path) -> str:
    """Say what lies in a folder, in a few words that follow "it holds"."""
    names = sorted(file.name + "/" * file.is_dir() for file in path.iterdir() if not file.name.startswith("."))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return mentioned(", ".join(names[:_NAMED]) + more) if names else "nothing"


def object_kind(one: Any) -> str | None:
    """Say what an object, or a row, is one of by its names; None where they do not tell."""
    if not isinstance(one, dict):
        return None
    return next((kind for names, kind in OBJECTS.items() if one.keys() >= set(names)), None)


def described_json(value: Any) -> str:
    """Say what a parsed JSON value seems to be, likewise."""
    if isinstance(value, dict):
        if is_squad(value):
            return "in SQuAD's format, as KorQuAD is"
        return f"a JSON object with {_names(value)}" if value else "an empty JSON object"
    if isinstance(value, list):
        first = value[0] if value else None
        return f"a JSON list of {_objects(first)}" if isinstance(first, dict) else "a JSON list"
    return "a single JSON value"


def is_squad(value: JsonObject) -> bool:
    """Say whether a parsed JSON object is in SQuAD's format: articles of paragraphs."""
    articles = value.get("data")
    return isinstance(articles, list) and all(isinstance(one, dict) and "paragraphs" in one for one in articles[:1])


def _text(start: str, path: Path) -> str:
    if not start:
        return "empty"
    line, _, more = start.partition("\n")
    if start.startswith("{"):
        try:
            row = parse_json(line)
        except ValueError:
            return _whole_json(path) or DAMAGED
        return f"JSON Lines of {_objects(row)}" if more.strip() or path.suffix == ".jsonl" else described_json(row)
    if start[:100].lower().startswith(("<!doctype html", "<html")):
        return "an HTML page"
    if path.suffix in (".yaml", ".yml"):
        return "YAML"
    for separator, kind in (("\t", "tab"), (",", "comma")):
        if separator in line and (separator == "\t" or path.suffix in (".csv", ".tsv")):
            return f"{kind}-separated values of {_objects(dict.fromkeys(line.split(separator)))}"
    return "text and no JSON" if not start.startswith("[") else _whole_json(path) or DAMAGED


def _whole_json(path: Path) -> str | None:
    try:
        return described_json(parse_json(read_text(path)))
    except (OSError, ValueError):
        return None


def _objects(one: Any) -> str:
    if not isinstance(one, dict):
        return "values that are no objects"
    return object_kind(one) or f"rows with {_names(one)}"


def _names(names: Collection[str]) -> str:
    shown = [*list(names)[:_NAMED], *(["…"] if len(names) > _NAMED else [])]
    return mentioned(f"the names {', '.join(shown)}")
