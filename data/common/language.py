"""In which language a report speaks: the code says its sentences in English, and this says them in another.

A sentence stands in the code as an English template, `say("{n} items of {benchmark}", n=…, benchmark=…)`; its Korean
is in the `korean.yaml` of the folder that says it, under the same words with the same placeholders, which a test checks
for every sentence. Nothing falls back to English in silence: a sentence without its Korean is an error.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

Code = Literal["en", "ko"]
LANGUAGES: tuple[Code, ...] = ("en", "ko")
PACKAGES = ("data", "retrievers", "chains", "finetune", "eval")


class Language:
    """Says sentences in one language.

    Attributes:
        code: Its ISO 639-1 code.
    """

    def __init__(self, code: Code, catalogue: Mapping[str, str]) -> None:
        self.code = code
        self._catalogue = catalogue  # English template → this language's; empty for English

    def __call__(self, text: str, /, **values: object) -> str:
        """Say a sentence.

        Args:
            text: The English template.
            values: What stands in its placeholders, already written as a person reads it.

        Raises:
            ValueError: The language lacks the sentence.
        """
        if self._catalogue and text not in self._catalogue:
            raise ValueError(f"korean.yaml: no sentence for: {text}")
        return self._catalogue.get(text, text).format(**values)

    def count(self, n: int, one: str, many: str, /, **values: object) -> str:
        """Say a sentence that differs between one and more; Korean has one form, that of `many`."""
        return self(one if n == 1 and not self._catalogue else many, n=f"{n:,}", **values)

    def again(self, text: str) -> str:
        """Say what was written in English before, such as a reason that came with a figure; names stay as they are.

        Only for a single text: what was put together of several is carried in its parts, and each part is said.
        """
        if not self._catalogue:
            return text
        if text in self._catalogue:
            return self._catalogue[text]
        for pattern, said in _patterns(self.code):
            if found := pattern.fullmatch(text):
                return said.format(**{name: self.again(value) for name, value in found.groupdict().items()})
        return text

    def status(self, name: str) -> str:
        """Say what became of an answer: a status of `data.types.Prediction`, which alone "none" would not be."""
        return self._catalogue.get(f"status: {name}", name)


ENGLISH = Language("en", {})


@cache
def language(code: str) -> Language:
    """Return a language by its code.

    Raises:
        ValueError: There is no such language.
    """
    if code == "en":
        return ENGLISH
    if code == "ko":
        return Language("ko", catalogue())
    raise ValueError(f"no language '{code}'; there are {', '.join(LANGUAGES)}")


def catalogue_files() -> list[Path]:
    """Return the files of Korean sentences: each folder of the packages that says some has one."""
    root = Path(__file__).parent.parent.parent
    return sorted(path for package in PACKAGES for path in (root / package).rglob("korean.yaml"))


@cache
def catalogue() -> dict[str, str]:
    """Read the Korean sentences by their English ones."""
    from data.common.parsing import read_yaml

    files = [read_yaml(path, kind="catalogue").content for path in catalogue_files()]
    return {entry["en"]: entry["ko"] for entries in files for entry in entries}


@cache
def _patterns(code: str) -> list[tuple[re.Pattern[str], str]]:
    """Return the templates that begin with words, as patterns of what they render."""
    assert code == "ko"
    found = []
    for english, said in catalogue().items():
        if "{" in english and not english.startswith("{"):
            parts = re.split(r"\{(\w+)\}", english)
            pattern = "".join(f"(?P<{part}>.+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
            if len(set(parts[1::2])) == len(parts[1::2]):
                found.append((re.compile(pattern), said))
    return found
