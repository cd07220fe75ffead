"""The patterns of a run's labels are made once, also where its first replies come together."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

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
