"""Every format of log that is read: what it is called, by what it is recognised, and what reads it.

In comes a file; out goes the format whose marks it bears. A new format is a module and a row of `FORMATS`.
"""

import csv
from collections.abc import Callable, Collection, Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile, is_zipfile

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import open_bytes
from data.common.json_stream import first_names
from data.formats import described
from eval.execution.logs import inspect_ai, langsmith, lm_eval, openai_batch, promptfoo, replies
from eval.execution.logs.row import LogRow

_LOOKED_AT = 1 << 20  # bytes of a file


class Marks(NamedTuple):
    """What a file is recognised by.

    Attributes:
        kind: "archive", "table" (comma-separated), "tsv" or "json".
        names: The archive's members, the table's columns, or the names of the first object.
    """

    kind: str
    names: Collection[str]


class Format(NamedTuple):
    """A format of log.

    Attributes:
        name: What a run's manifest calls it.
        title: What it is, for people.
        fits: Says whether a file's marks are those of the format.
        read: Yields the rows of a file.
        is_reply_file: Whether it is this program's own form, whose items must be named.
    """

    name: str
    title: str
    fits: Callable[[Marks], bool]
    read: Callable[[Path], Iterator[LogRow]]
    is_reply_file: bool = False


def _has(kind: str, *names: str) -> Callable[[Marks], bool]:
    return lambda marks: marks.kind == kind and set(names) <= set(marks.names)


FORMATS = (
    Format("lm-eval", "lm-evaluation-harness' samples_*.jsonl", _has("json", *lm_eval.NAMES), lm_eval.read),
    Format(
        "inspect-ai",
        "an .eval log of inspect-ai",
        lambda marks: marks.kind == "archive" and any(name in marks.names for name in inspect_ai.HEADERS),
        inspect_ai.read_archive,
    ),
    Format("inspect-ai", "a .json log of inspect-ai", _has("json", "version", "eval"), inspect_ai.read_object),
    Format("promptfoo", "promptfoo's results.json", _has("json", "evalId", "results"), promptfoo.read_object),
    Format("promptfoo", "promptfoo's results.jsonl", _has("json", *promptfoo.ROW_NAMES), promptfoo.read_lines),
    Format(
        "openai-batch", "an OpenAI batch's output", _has("json", *openai_batch.OUTPUT_NAMES), openai_batch.read_output
    ),
    Format("openai-batch", "an OpenAI batch's input", _has("json", *openai_batch.INPUT_NAMES), openai_batch.read_input),
    Format(
        "langsmith",
        "a LangSmith experiment's CSV",
        lambda marks: marks.kind == "table" and langsmith.is_table(list(marks.names)),
        langsmith.read,
    ),
    Format(
        "replies",
        'rows of {"id", "output"}',
        lambda marks: marks.kind in ("json", "tsv") and set(marks.names) >= replies.NAMES,
        replies.read,
        is_reply_file=True,
    ),
)


def format_of(path: Path) -> Format | None:
    """Return the format of a file; None where it bears the marks of none.

    Raises:
        MissingResourceError: The file is not there, or cannot be read.
        ConfigurationError: It is an archive that is damaged.
    """
    try:
        marks = _marks(path)
    except FileNotFoundError:
        raise MissingResourceError(f"there is no file {path}") from None
    except OSError as error:
        raise MissingResourceError(f"cannot read {path}: {error.strerror}") from None
    return next((one for one in FORMATS if one.fits(marks)), None)


def unknown_format(path: Path) -> ConfigurationError:
    """Return the error of a file that is no log."""
    titles = ", ".join(one.title for one in FORMATS)
    return ConfigurationError(f"{path} is no log that is read, but {described(path)}; read are: {titles}")


def _marks(path: Path) -> Marks:
    with open_bytes(path) as file:
        start = file.read(_LOOKED_AT)
    if start.startswith(b"PK\x03\x04"):
        return Marks("archive", _members(path))
    text = start.decode("utf-8-sig", "replace")
    if path.suffix.lower() == ".csv":
        return Marks("table", next(csv.reader(StringIO(text)), []))
    if path.suffix.lower() == ".tsv":
        return Marks("tsv", text.partition("\n")[0].strip().split("\t"))
    return Marks("json", first_names(StringIO(text)))


def _members(path: Path) -> list[str]:
    if not is_zipfile(path):
        raise ConfigurationError(f"{path} is damaged: the end of the archive is missing; copy it again")
    try:
        with ZipFile(path) as archive:
            return archive.namelist()
    except BadZipFile as error:
        raise ConfigurationError(f"{path} is damaged: {error}; copy it again") from None
