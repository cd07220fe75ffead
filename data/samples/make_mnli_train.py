"""Writes `mnli_sample_train.jsonl`: NLI pairs for the demo's encoder and word counts to learn from.

    python data/samples/make_mnli_train.py            # the same bytes every time: the seed is fixed

In: the frames of `mnli_train_frames.txt`, which says at its top how they are written: a premise with slots, and
hypotheses that it entails, leaves open or rules out. Out: `PER_LABEL` pairs of each frame for each label, the slots
filled at random, in random order. As every frame has all labels equally often, neither its topic nor its genre gives
a label away.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PER_LABEL = 6
SEED = 20_231_116
FOLDER = Path(__file__).parent
LABELS = {"e": "entailment", "n": "neutral", "c": "contradiction"}

Forms = list[str]  # the forms of one choice for a slot, such as ["geese", "birds"]
Filling = dict[str, tuple[Forms, Forms]]  # slot -> the choice drawn, another choice


class Frame(NamedTuple):
    """A premise and its hypotheses by label, with the choices for their slots."""

    genre: str
    slots: dict[str, list[Forms]]
    premise: str
    hypotheses: dict[str, list[str]]


def read_frames(text: str) -> list[Frame]:
    """Read the frames of `mnli_train_frames.txt`."""
    lists: dict[str, str] = {}
    frames: list[Frame] = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        for line in (line for line in lines if line.startswith("@")):
            name, _, choices = line.partition(" = ")
            lists[name] = choices
        if lines and lines[0].startswith("["):
            frames.append(_read_frame(lines, lists))
    return frames


def make_pairs(frames: list[Frame], *, per_label: int, seed: int) -> list[dict[str, str]]:
    """Make `per_label` different pairs for each label of each frame, in random order."""
    rng = random.Random(seed)  # noqa: S311  # text, not secrets
    pairs = [pair for frame in frames for label in LABELS.values() for pair in _pairs(frame, label, per_label, rng)]
    rng.shuffle(pairs)
    return pairs


def as_lines(pairs: list[dict[str, str]]) -> str:
    """Write pairs as JSON lines."""
    return "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)


def _read_frame(lines: list[str], lists: dict[str, str]) -> Frame:
    genre, _, rest = lines[0].removeprefix("[").partition("]")
    slots = {}
    for part in filter(None, map(str.strip, rest.split(";"))):
        name, _, choices = part.partition(" = ")
        slots[name] = [choice.strip().split("/") for choice in lists.get(choices, choices).split("|")]
    by_kind: dict[str, list[str]] = {kind: [] for kind in "penc"}
    for line in lines[1:]:
        by_kind[line[0]].append(line[2:])
    (premise,) = by_kind.pop("p")
    return Frame(genre, slots, premise, {LABELS[kind]: texts for kind, texts in by_kind.items()})


def _pairs(frame: Frame, label: str, n: int, rng: random.Random) -> Iterator[dict[str, str]]:
    """Yield `n` different pairs of one label, each hypothesis of the frame in its turn."""
    hypotheses = frame.hypotheses[label]
    seen: set[tuple[str, str]] = set()
    while len(seen) < n:
        filling: Filling = {}
        for slot, choices in frame.slots.items():
            drawn, other = rng.sample(choices, 2)
            filling[slot] = drawn, other
        premise = _fill(frame.premise, filling)
        hypothesis = _capitalized(_fill(hypotheses[len(seen) % len(hypotheses)], filling))
        if (premise, hypothesis) not in seen:
            seen.add((premise, hypothesis))
            shown = premise if frame.genre == "telephone" else _capitalized(premise)
            yield {"premise": shown, "hypothesis": hypothesis, "label": label, "genre": frame.genre}


def _fill(text: str, filling: Filling) -> str:
    """Replace {slot}, {slot.2} (second form) and {-slot} (another choice)."""

    def words(match: re.Match[str]) -> str:
        minus, slot, form = match.groups()
        return filling[slot][1 if minus else 0][int(form or 1) - 1]

    return re.sub(r"\{(-?)(\w+)(?:\.(\d))?\}", words, text)


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    frames = read_frames((FOLDER / "mnli_train_frames.txt").read_text(encoding="utf-8"))
    pairs = make_pairs(frames, per_label=PER_LABEL, seed=SEED)
    (FOLDER / "mnli_sample_train.jsonl").write_text(as_lines(pairs), encoding="utf-8")
