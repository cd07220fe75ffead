"""How wide a text is on a terminal, where a Korean letter takes two columns, and how it is made to fit."""

import unicodedata


def display_width(text: str) -> int:
    """Return how many columns a terminal gives the text."""
    return sum(_columns(letter) for letter in text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad the text to a width, or cut it with an ellipsis."""
    if display_width(text) > width:
        text = start_of(text, width - 1) + "…"
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def start_of(text: str, width: int) -> str:
    """Return as much of the text's start as fits the width."""
    used = 0
    for place, letter in enumerate(text):
        used += _columns(letter)
        if used > width:
            return text[:place]
    return text


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
