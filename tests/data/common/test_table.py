"""Tables on a terminal: columns line up whatever is in them, figures to the right and never cut."""

import re
from collections import Counter

import pytest

from data.common.table import aligned, display_width

ROWS = [["이름", "n", "note"], ["가나다", "1,000", "short"], ["a", "7", "a note of\nsome words"]]


def test_columns_line_up_where_a_letter_takes_two() -> None:
    lines = aligned(ROWS, left=(0, 2)).splitlines()
    assert lines == [
        "이름        n  note",
        "------  -----  --------------------",
        "가나다  1,000  short",
        "a           7  a note of some words",
    ]
    assert aligned(ROWS, left=(0, 2), rule=False).splitlines() == [lines[0], *lines[2:]]


LONG = [
    ["system", "accuracy (95%)", "s/item"],
    ["kice-rag.gpt-4o-mini.hybrid", "88.7% (77.0–94.8)", "0.5"],
    ["이름이 아주 긴 시스템입니다", "9.1% (1.2–3.4)", "12.25"],
]


@pytest.mark.parametrize("width", [200, 50, 34])
def test_a_table_that_is_too_wide_is_wrapped_and_nothing_is_cut(width: int) -> None:
    shown = aligned(LONG, width=width)
    assert max(map(display_width, shown.splitlines())) <= width
    words = "".join(cell for row in LONG for cell in row).replace(" ", "")
    assert Counter(re.sub(r"[\s-]", "", shown)) == Counter(words.replace("-", "")), "each letter is there once"
    assert all(figure in shown for figure in ("88.7%", "(77.0–94.8)", "12.25")), "a number stands whole"


def test_figures_that_no_width_holds_stand_below_their_row_s_name() -> None:
    assert aligned(LONG, width=20).splitlines()[:3] == [
        "kice-rag.gpt-4o-mini.hybrid",
        "  accuracy (95%)  88.7% (77.0–94.8)",
        "  s/item          0.5",
    ]
    assert aligned([["a", "figure"], ["b", "1" * 40]], width=30) == "b\n  figure  " + "1" * 40


def test_nothing_that_works_on_a_terminal_is_left() -> None:
    assert "\x1b" not in aligned([["head"], ["\x1b[31mred"]])
