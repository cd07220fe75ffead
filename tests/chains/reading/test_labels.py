"""Labels of any set: where one is stated and where it is only mentioned; their patterns are made once."""

import json
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.reading import labels


def test_replies_that_come_together_compile_the_labels_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def slowly(pattern: str) -> re.Pattern[str]:
        compiled.append(pattern)
        time.sleep(0.01)
        return re.compile(pattern)

    names, barrier = ("quartz", "basalt"), Barrier(8)

    def read(number: int) -> Any:
        barrier.wait()
        return labels.extract_label("basalt", names).choice

    monkeypatch.setattr(labels, "re", type("Slow", (), {**vars(re), "compile": staticmethod(slowly)}))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [1] * 8
    assert len(compiled) == 3, "a pattern for each place where a label may stand"


@pytest.mark.parametrize("text", ["basalt", "The answer is 2. " * 10])
def test_a_reply_to_known_labels_waits_for_no_other_thread(text: str) -> None:
    names = ("quartz", "basalt")
    read = labels.extract_label(text, names)
    with ThreadPoolExecutor(1) as pool, labels._COMPILING:
        assert pool.submit(labels.extract_label, text, names).result(timeout=10) == read


LABEL_CASES = [
    json.loads(line) for line in (Path(__file__).parent / "label_cases.jsonl").read_text("utf-8").splitlines()
]


def _label(text: str, names: Sequence[str]) -> str | None:
    found = labels.extract_label(text, names).choice
    return None if found is None else names[found]


def test_labels_of_any_set_are_read_in_both_languages_and_none_is_invented() -> None:
    """A label that is a common word is an answer only where the text says that it is one."""
    wrong = [row for row in LABEL_CASES if _label(row["text"], row["labels"]) != row["expected"]]
    invented = [row for row in wrong if row["expected"] is None]
    assert len({tuple(row["labels"]) for row in LABEL_CASES}) >= 8
    assert len(LABEL_CASES) >= 200
    assert (len(wrong) <= 0.02 * len(LABEL_CASES), invented) == (True, []), wrong


ENGLISH = st.from_regex(
    r"[bcdfgklmprstv][aeou][bdgklmnprst][a-z]{0,5}([_ -][bcdfgklmprstv][aeiou][a-z]{2,5}){0,2}", fullmatch=True
)
KOREAN = st.from_regex(r"[가-힣]{2,4}( [가-힣]{2,4})?", fullmatch=True)
COMMITMENTS = (
    "{}",
    "**{}**",
    '"{}".',
    "Label: {}",
    "The label is {}.",
    "{}: the text says so.",
    "The answer is {}, because nothing else fits.",
    "I would classify this as {}.",
    '{{"label": "{}"}}',
    "Let me look at it.\n\nFinal answer: {}",
    "분류: {}",
    "정답은 {}입니다.",
    "이 글은 {}에 해당합니다.",
    "따라서 '{}'로 분류합니다.",
)
MENTIONS = (
    "We saw {} on the way and went home.",
    "They asked me for {} at noon.",
    "Nobody gave a {} to anyone there.",
    "어제 {} 때문에 늦게 왔다.",
    "그래서 {} 소식을 들었다.",
)


@given(
    names=st.one_of(*(st.lists(words, min_size=2, max_size=40, unique=True) for words in (ENGLISH, KOREAN))),
    place=st.integers(0, 39),
    commitment=st.sampled_from(COMMITMENTS),
    mention=st.sampled_from(MENTIONS),
)
def test_a_label_of_any_set_is_read_where_it_is_stated_and_only_there(
    names: list[str], place: int, commitment: str, mention: str
) -> None:
    name = names[place % len(names)]
    assert _label(commitment.format(name), names) == name
    assert "_" in name or _label(mention.format(name), names) is None
