"""Tables on a terminal: columns line up whatever is in them, figures to the right and never cut."""

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


def test_words_shrink_to_the_width_and_figures_do_not() -> None:
    lines = aligned([["system", "cost"], ["a" * 50, "123.45"]], width=30).splitlines()
    assert all(display_width(line) == 30 for line in lines[1:])
    assert lines[2].endswith("…  123.45")
    assert aligned([["a", "figure"], ["b", "1" * 40]], width=30).splitlines()[2].endswith("1" * 40)


def test_nothing_that_works_on_a_terminal_is_left() -> None:
    assert "\x1b" not in aligned([["head"], ["\x1b[31mred"]])
