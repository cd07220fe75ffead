"""The task that ships with the project: what its card and its README say of it."""

import csv
import runpy
from collections import Counter
from pathlib import Path

from data.card import SHIPPED
from data.registry import benchmark, load_items

NAME = "banking77-sample"
SCRIPT = runpy.run_path(str(SHIPPED[NAME].parent / "make_banking77.py"))


def test_it_holds_twelve_intents_and_enough_to_decide() -> None:
    about, train, test = benchmark(NAME), load_items(NAME, split="train"), load_items(NAME)
    assert about.labels == SCRIPT["INTENTS"] and about.language == "en"
    assert len(train) == 869 and len(test) == 1350
    assert min(Counter(item.target for item in train).values()) == 43
    assert min(Counter(item.target for item in test).values()) == 83


def test_it_is_made_of_the_published_files(shared_data: Path, tmp_path: Path) -> None:
    SCRIPT["main"](shared_data / "own" / "banking77", tmp_path)
    for name in ("train.csv", "test.csv"):
        assert (tmp_path / name).read_bytes() == (SHIPPED[NAME] / name).read_bytes()
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            assert {row[1] for row in csv.reader(file)} == {*SCRIPT["INTENTS"], "category"}
