"""docs/glossary.md is true of every sentence that is said in Korean."""

import re

import pytest

from data.common.language import catalogue
from tests.support.folders import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("| ").split("|")]
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| English")
]
LEAST = 0.9  # of the sentences; a Korean sentence may leave out what is plain, such as "of these items"


def korean_of(term: str) -> list[str]:
    """The Korean of every sentence that holds an English word, outside of its placeholders."""
    word = re.compile(rf"\b{re.escape(term.removesuffix('y'))}(s|y|ies)?\b", re.IGNORECASE)
    return [said for english, said in catalogue().items() if word.search(re.sub(r"\{\w+\}", "", english))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_word_is_said_in_korean_as_the_glossary_has_it(row):
    english, korean, *_ = row
    sentences, words = korean_of(english), korean.split(", ")
    without = [said for said in sentences if not any(word in said for word in words)]
    assert sentences and len(without) <= (1 - LEAST) * len(sentences), without


@pytest.mark.parametrize("word", [word for row in ROWS if len(row) > 3 for word in row[3].split(", ") if word])
def test_a_word_that_is_not_to_be_said_is_not(word):
    assert [said for said in catalogue().values() if word in said] == []
