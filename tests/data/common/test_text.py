"""Text in its one form: NFC, plain spaces, line feeds and nothing invisible, over all of Unicode."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from data.common.text import normalised

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1)]
# Drawn, though Unicode files them under format characters: Arabic number signs and the like, and the two joiners.
DRAWN = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u200c\u200d\U000110bd\U000110cd")


def test_every_space_is_a_space_and_every_line_separator_a_line_feed() -> None:
    assert {normalised(f"a{c}b") for c in CHARACTERS if unicodedata.category(c) == "Zs"} == {"a b"}
    assert {normalised(f"a{c}b") for c in CHARACTERS if unicodedata.category(c) in ("Zl", "Zp")} == {"a\nb"}
    assert [normalised(f"a{end}b") for end in ("\r\n", "\r", "\x85", "\v", "\f")] == ["a\nb"] * 5


def test_every_format_character_that_is_not_drawn_is_dropped() -> None:
    kept = {c for c in CHARACTERS if unicodedata.category(c) == "Cf" and normalised(f"a{c}b") != "ab"}
    assert kept <= DRAWN
    assert normalised("a\tb\nc\x00\x1b") == "a\tb\nc"


def test_hangul_letters_become_syllables() -> None:
    assert normalised(unicodedata.normalize("NFD", "따라서 정답은 3번입니다.")) == "따라서 정답은 3번입니다."


@given(st.text())
def test_a_normalised_text_stays_as_it_is(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert unicodedata.is_normalized("NFC", once)


def test_no_character_is_passed_over_for_being_printable() -> None:
    """A text that Python calls printable is not looked at closely; the tab before it has it looked at."""
    assert [c for c in CHARACTERS if normalised(f"가{c}나") != normalised(f"\t가{c}나")[1:]] == []
