"""Which items' texts stand within longer texts: so prompts are found to ask an item, whatever else they say.

Texts are compared word by word, without case and punctuation. The words that the longest text of an item begins with
are looked for in every longer text, and what is found is compared whole: time grows with the words alone.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

_WORD = re.compile(r"\w+")
_ANCHOR = 8  # words


def words_of(text: str) -> list[str]:
    """Return the words of a text, folded."""
    return _WORD.findall(text.casefold())


class Texts:
    """Items' texts that may stand within longer ones.

    Args:
        texts: Returns the texts of an item by its number; they are not held in memory.
        numbers: The items.
    """

    def __init__(self, texts: Callable[[int], Iterable[str]], numbers: Iterable[int]) -> None:
        self._texts = texts
        self._anchors: dict[int, dict[tuple[str, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
        for number in numbers:
            longest = max(map(words_of, texts(number)), key=len, default=[])
            if longest:
                anchor = tuple(longest[:_ANCHOR])
                self._anchors[len(anchor)][anchor].append(number)

    def within(self, text: str) -> list[int]:
        """Return the items whose every text stands within a text, the one that ends last first, then the longest.

        A prompt may show other items before the one that it asks.
        """
        words = words_of(text)
        joined, found = f" {' '.join(words)} ", list[tuple[int, int, int]]()
        for number in dict.fromkeys(self._candidates(words)):
            parts = [f" {' '.join(words_of(part))} " for part in self._texts(number)]
            places = [joined.rfind(part) for part in parts]
            if min(places) >= 0:
                end = max(place + len(part) for place, part in zip(places, parts, strict=True))
                found.append((end, sum(map(len, parts)), number))
        return [number for _, _, number in sorted(found, key=lambda one: (-one[0], -one[1]))]

    def _candidates(self, words: Sequence[str]) -> Iterator[int]:
        for length, anchors in self._anchors.items():
            for start in range(len(words) - length + 1):
                yield from anchors.get(tuple(words[start : start + length]), ())
