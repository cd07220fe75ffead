"""Text that somebody else wrote (data, a model, a server), made fit to be read, or to stand on a terminal or a page.

In comes any text. `normalised` gives the one form in which every text enters; what `plain` gives cannot move the
cursor, set colours, reverse what is read or break an encoding.
"""

import json
import re
import unicodedata

_LONGEST = 300  # characters of what is only mentioned
# Control characters but for tab and line feed, halves of characters, and the marks that set the reading direction.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_NOT_ASCII = re.compile("[\x00-\x08\x0b-\x1f\x7f]|[^\x00-\x7f]+")
# Every space of Unicode (category Zs), and the three characters that are drawn as nothing but a space.
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]")
_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Control characters but for tab and line feed, and the format characters (category Cf) that are not drawn. The joiners
# of emoji and of Indic and Persian script, which change what is drawn, stay.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0001\U000e0020-\U000e007f]"
)
_BLANK = re.compile("[\u034f\u2800\u3164\uffa0]")  # those of them that Python calls printable

# A pair of surrogate escapes is one character, which json joins; what is left over is half of one.
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Digits and signs that are raised, as in powers of ten.
_RAISED = re.compile("[\u00b2\u00b3\u00b9\u2070\u2074-\u207b]+")
# What stands for a character where it is lacking, and neither its category nor its compatibility form says it.
_STAND_INS = {
    **{
        "…": "...",
        "−": "-",
        "×": "x",
        "÷": "/",
        "±": "+/-",
        "·": ".",
        "•": "*",
        "∘": "o",
        "∼": "~",
        "≈": "~",
        "λ": "lambda",
    },
    **{"≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "←": "<-", "↔": "<->", "⇒": "=>", "⇐": "<=", "⟦": "[[", "⟧": "]]"},
    **{"█": "#", "─": "-", "│": "|", "✓": "v", "✔": "v", "✗": "x", "ß": "ss", "€": "EUR", "£": "GBP", "₩": "KRW"},
}


def normalised(text: str) -> str:
    """Return a text in the form in which all text is read: NFC, plain spaces, line feeds, and nothing invisible.

    Two texts that look alike are then equal, whichever spaces, line breaks and marks a keyboard, a PDF or a model put
    into them, and whether Hangul came as syllables or as letters.
    """
    if text.isascii() and text.isprintable():
        return text
    # Python's own check tells all but four of the characters that are replaced, far faster than looking for them.
    shown = text.replace("\n", "").isprintable() and not _BLANK.search(text)
    if shown and unicodedata.is_normalized("NFC", text):
        return text
    text = _SPACES.sub(" ", _LINE_BREAKS.sub("\n", text))
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


def plain(text: str, *, one_line: bool = False) -> str:
    """Drop control characters and marks that reverse the reading direction; line breaks and tabs may stay."""
    return _UNFIT.sub("", " ".join(text.split()) if one_line else text)


def mentioned(text: str) -> str:
    """Return a text as one line of bounded length, as a message may repeat it."""
    # What is cut off here could not make up for what is shortened below: a text may be many megabytes of white space.
    line = plain(text[: 10 * _LONGEST], one_line=True)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def plain_json(text: str, *, only_ascii: bool = False) -> str:
    """Return a JSON text with escapes in the place of what `plain` drops: the same value, fit for a terminal.

    Args:
        text: As `json.dumps` writes it: such characters are only in its strings.
        only_ascii: Escape whatever is not ASCII too.
    """
    unfit = _NOT_ASCII if only_ascii else _UNFIT
    return unfit.sub(lambda found: json.dumps(found[0])[1:-1], text)


def character_fault(text: str) -> str | None:
    r"""Say which half of a character (a lone surrogate, such as "\ud800") a text holds; None where it holds none.

    Such a text can be neither hashed, written nor sent, for UTF-8 has no bytes for it.
    """
    found = None if text.isascii() else _LONE_SURROGATE.search(text)
    return f"holds {found[0]!a}, half of a surrogate pair and no character" if found else None


def whole_characters(text: str) -> str:
    """Return a text with U+FFFD in the place of each half of a character, so that it can be written.

    What a server answers as JSON may hold some; a reply is not lost for it.
    """
    return _LONE_SURROGATE.sub("\ufffd", text)


def text_of(value: object) -> str:
    """Return `str` of anything, in whole characters; where its own code fails at that, what it is."""
    try:
        return whole_characters(str(value))
    except Exception:  # noqa: BLE001  # whatever the code of somebody else's class raises
        return f"<{type(value).__name__}>"


def one_line(error: BaseException) -> str:
    """Return an error's message without line breaks, cut at 200 characters; its type where it has none."""
    return " ".join(text_of(error).split())[:200] or type(error).__name__


def encodable(text: str, encoding: str) -> str:
    """Return a text with plain characters, such as "->" for "→", in the place of those that an encoding lacks."""
    if not _lacking(text, encoding):
        return text
    text = _RAISED.sub(lambda found: f"^{_compatible(found[0])}" if _lacking(found[0], encoding) else found[0], text)
    return text.translate({ord(letter): _stand_in(letter, encoding) for letter in _lacking(text, encoding)})


def _lacking(text: str, encoding: str) -> set[str]:
    """Return the characters of a text that an encoding lacks."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        letters = set(text)
    else:
        return set()
    return {letter for letter in letters if not letter.isascii() and not letter.encode(encoding, "ignore")}


def _compatible(text: str) -> str:
    """Return Unicode's compatibility form of a text, without accents."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _stand_in(letter: str, encoding: str) -> str:
    if letter in _STAND_INS:
        return _STAND_INS[letter]
    kind = unicodedata.category(letter)
    if kind in ("Pi", "Pf"):
        return '"' if "DOUBLE" in unicodedata.name(letter) else "'"
    if kind in ("Pd", "Zs"):
        return "-" if kind == "Pd" else " "
    likeness = _compatible(letter)
    return likeness if likeness and not _lacking(likeness, encoding) else "?"
