"""A JSON file of any length, read part by part: other tools write all of a log into one object.

A file in; out come the values of its object by their paths, and the rows of one list within it one at a time. So a log
needs the memory of its longest row. Every row is parsed by `json`, which takes the NaN and Infinity that such tools
write; an incremental parser such as ijson takes neither.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

Path = tuple[str, ...]
_CHUNK = 1 << 16  # characters that are read at once
_LONGEST = 1 << 28  # characters of one value: what is longer is damaged, or would not fit into memory
_NEAR = 16  # characters: what ends, or fails, so near to the end of what was read may go on behind it
_DECODER = json.JSONDecoder()


class _Buffer:
    """What was read of a file and not yet taken; `taken` counts the characters that stood before it."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._text, self._at = file, "", 0
        self.taken = 0

    def next_sign(self) -> str:
        """Return the next character that is no space, which stays; "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, sign: str) -> None:
        """Take a character that must come next."""
        if (found := self.next_sign()) != sign:
            raise self._fault(f"found {found!r}, expected {sign!r}" if found else "")
        self._at += 1

    def value(self) -> Any:
        """Take one whole value."""
        self.next_sign()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _NEAR
                if not cut or not self._more():
                    raise self._fault("" if cut else error.msg) from None
                continue
            except RecursionError:
                raise ValueError("not usable JSON: it is nested too deeply") from None
            if end <= len(self._text) - _NEAR or not self._more():  # of "0.5" and "1e+9", "0." and "1e+" say 0 and 1
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on, each time as much as is there already; at the end of the file, return False and change nothing."""
        left = self._text[self._at :]
        if len(left) > _LONGEST:
            raise ValueError(f"not usable JSON: a value of more than {_LONGEST:,} characters at {self._place()}")
        chunk = self._file.read(max(_CHUNK, len(left)))
        if chunk:
            self.taken, self._text, self._at = self.taken + self._at, left + chunk, 0
        return bool(chunk)

    def _place(self) -> str:
        return f"character {self.taken + self._at + 1:,}"

    def _fault(self, reason: str) -> ValueError:
        if not reason:
            return ValueError("it ends in the midst of a value: it was cut off")
        return ValueError(f"not JSON near {self._place()}: {reason}")


def stream_json(file: TextIO, rows_at: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """Yield (path, value) for each value of an object; of the list at one path, each row by itself.

    Args:
        file: Open text that holds one JSON object, or where `rows_at` is empty one list.
        rows_at: The names that lead to the list, such as ("results", "results"): objects on that way are entered, and
            all other values are yielded whole.

    Raises:
        ValueError: It is not JSON, was cut off, or holds a value that is too long; one line that says which.
    """
    buffer = _Buffer(file)
    yield from _values(buffer, (), tuple(rows_at))
    if buffer.next_sign():
        raise ValueError("not JSON: more follows behind its end")


def _values(buffer: _Buffer, path: Path, rows_at: Path) -> Iterator[tuple[Path, Any]]:
    sign = buffer.next_sign()
    if path == rows_at and sign == "[":
        yield from _rows(buffer, path)
    elif path == rows_at[: len(path)] and path != rows_at and sign == "{":
        for name in _names(buffer):
            yield from _values(buffer, (*path, name), rows_at)
    else:
        yield path, buffer.value()


def _names(buffer: _Buffer) -> Iterator[str]:
    """Yield each name of an object; the caller takes the value before it asks for the next."""
    buffer.take("{")
    while buffer.next_sign() != "}":
        name = buffer.value()
        buffer.take(":")
        yield str(name)
        if buffer.next_sign() != "}":
            buffer.take(",")
    buffer.take("}")


def _rows(buffer: _Buffer, path: Path) -> Iterator[tuple[Path, Any]]:
    buffer.take("[")
    while buffer.next_sign() != "]":
        yield path, buffer.value()
        if buffer.next_sign() != "]":
            buffer.take(",")
    buffer.take("]")


def first_names(file: TextIO, most: int = 20) -> list[str]:
    """Return the names of the first object of a file, of one object, a list or JSON Lines, as far as it can be read.

    Args:
        file: Open text of a bounded length; it may end in the midst of a value.
        most: So many names are enough.
    """
    buffer, found = _Buffer(file), list[str]()
    try:
        if buffer.next_sign() == "[":
            buffer.take("[")
        for name in _names(buffer):
            found.append(name)
            if len(found) == most:
                break
            buffer.value()
    except ValueError:
        pass
    return found
