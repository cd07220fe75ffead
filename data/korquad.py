"""KorQuAD 1.0 as a retrieval set: a question should find the paragraph it was written about.

In comes a file in the SQuAD 1.1 format; out come its questions over its unique paragraphs.

Source:
    Lim, Kim and Lee, "KorQuAD1.0: Korean QA Dataset for Machine Reading Comprehension", 2019;
    https://korquad.github.io/KorQuad%201.0/; CC BY-ND 2.0 KR: shipped unmodified, converted when it is read.
"""

import reprlib
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import read_text
from data.common.parsing import parse_json
from data.common.text import character_fault, normalised
from data.formats import described, described_json
from data.retrieval_sets import Query, RetrievalSet
from data.types import Passage


def load_retrieval(path: Path | None) -> RetrievalSet:
    """Read a SQuAD-format file; identical paragraphs become one passage, "p0000" and on, in order.

    Raises:
        ConfigurationError: The file is not in the SQuAD 1.1 format, or repeats a question's id.
        MissingResourceError: No file was named, or it is not there.
    """
    if path is None or not path.exists() or path.is_dir():
        named = f"there is no file {path}" if path else "retrieval set 'korquad' has no file of its own"
        named = f"{path} is {described(path)}" if path and path.is_dir() else named
        raise MissingResourceError(f"{named}; download KorQuAD_v1.0_dev.json (korquad.github.io) and pass --data FILE")
    passage_ids: dict[str, str] = {}
    queries: dict[str, Query] = {}
    for context, questions in _paragraphs(path):
        passage_id = passage_ids.setdefault(context, f"p{len(passage_ids):04}")
        for question_id, question in questions:
            if question_id in queries:
                raise ConfigurationError(f"{path}: question id {question_id!r} occurs more than once")
            queries[question_id] = Query(id=question_id, text=question, relevant=frozenset({passage_id}))
    if not queries:
        raise ConfigurationError(f"{path}: holds no questions")
    return RetrievalSet(
        name="korquad",
        queries=tuple(queries.values()),
        passages=tuple(Passage(id=name, text=text) for text, name in passage_ids.items()),
    )


def _paragraphs(path: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each paragraph of the file with the (id, question) pairs written about it."""
    document: Any = None
    try:
        document = parse_json(read_text(path))
        return [
            (_text(paragraph["context"]), [(_text(qa["id"]), _text(qa["question"])) for qa in paragraph["qas"]])
            for article in document["data"]
            for paragraph in article["paragraphs"]
        ]
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text at byte {error.start}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: not in the SQuAD 1.1 format, data[].paragraphs[].context and .qas[].id, .question "
            f"({described_json(document) if not isinstance(document, dict) or 'data' not in document else repr(error)})"
        ) from error


def _text(value: object) -> str:
    """Return a context, a question or an id in the form in which text is read: some tools write ids as numbers."""
    if not isinstance(value, str | int):
        raise TypeError(f"{reprlib.repr(value)} is not text")
    text = str(value)
    if fault := character_fault(text):
        raise ValueError(f"{reprlib.repr(text)} {fault}")
    return normalised(text)
