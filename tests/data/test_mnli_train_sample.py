"""The pairs that the demo's encoder learns from: reproducible, balanced, and nothing of what it is scored on."""

import importlib.util
import json
import re
from collections import Counter
from types import ModuleType

import pytest

from tests.support.folders import ROOT

SAMPLES = ROOT / "data" / "samples"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_mnli_train", SAMPLES / "make_mnli_train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def frames(script: ModuleType) -> list:
    return script.read_frames((SAMPLES / "mnli_train_frames.txt").read_text(encoding="utf-8"))


def read_pairs(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def test_the_script_makes_the_committed_file(script: ModuleType, frames: list) -> None:
    pairs = script.make_pairs(frames, per_label=script.PER_LABEL, seed=script.SEED)
    assert script.as_lines(pairs).encode() == (SAMPLES / "mnli_sample_train.jsonl").read_bytes()


def test_frames_are_many_and_each_yields_each_label(script: ModuleType, frames: list) -> None:
    assert len({frame.premise for frame in frames}) == len(frames) >= 150
    for frame in frames:
        labels = Counter(pair["label"] for pair in script.make_pairs([frame], per_label=6, seed=0))
        assert labels == dict.fromkeys(script.LABELS.values(), 6), frame.premise
        assert min(len(texts) for texts in frame.hypotheses.values()) >= 2, frame.premise


def test_pairs_are_balanced_distinct_and_filled() -> None:
    pairs = read_pairs("mnli_sample_train.jsonl")
    assert len(set(Counter(pair["label"] for pair in pairs).values())) == 1
    assert len({(pair["premise"], pair["hypothesis"]) for pair in pairs}) == len(pairs)
    assert {pair["genre"] for pair in pairs} == {pair["genre"] for pair in read_pairs("mnli_sample.jsonl")}
    assert not [pair for pair in pairs if set("{}|@") & set(pair["premise"] + pair["hypothesis"])]


def test_no_text_of_the_scored_sample_occurs_even_nearly() -> None:
    learnt, scored = (
        {words(pair[side]) for pair in read_pairs(name) for side in ("premise", "hypothesis")}
        for name in ("mnli_sample_train.jsonl", "mnli_sample.jsonl")
    )
    near = [(a, b) for a in scored for b in learnt if len(a & b) >= 0.75 * len(a | b)]
    assert not near
