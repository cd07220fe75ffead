"""The look at the data before training: lengths, labels, genres and duplicates."""

import json
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from eval.measures.stats import share_interval
from finetune.eda import describe, format_eda, token_lengths, write_eda
from finetune.encoders import load_tokenizer
from tests.support.tiny_encoder import LABELS, make_encoder, toy_items

FIELDS = ("premise", "hypothesis")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory):
    return load_tokenizer(make_encoder(tmp_path_factory.mktemp("encoder") / "tiny"))


def figures_of(items, tokenizer, max_length: int = 16):
    lengths = token_lengths(items, tokenizer, text_fields=FIELDS)
    return lengths, describe(
        items, lengths, labels=LABELS, text_fields=FIELDS, max_length=max_length, interval=share_interval
    )


def test_lengths_are_the_words_and_the_special_tokens(tokenizer) -> None:
    items = toy_items(40, seed=6)
    lengths, figures = figures_of(items, tokenizer)
    premises = [len(item.inputs["premise"].split()) for item in items]
    hypotheses = [len(item.inputs["hypothesis"].split()) for item in items]
    assert lengths["premise"] == premises
    assert lengths["pair"] == [a + b + 3 for a, b in zip(premises, hypotheses, strict=True)]
    pair = figures["tokens"]["pair"]
    assert pair["max"] == max(lengths["pair"])
    assert pair["p5"] <= pair["p50"] <= pair["p99"] <= pair["max"]
    assert pair["cut"] == sum(length > 16 for length in lengths["pair"]) / 40
    assert token_lengths(items, tokenizer, text_fields=("premise",))["input"] == [n + 2 for n in premises]


def test_labels_are_counted_in_each_genre_too(tokenizer) -> None:
    _, figures = figures_of(toy_items(41, seed=6), tokenizer)
    assert [figures["labels"][label]["n"] for label in LABELS] == [14, 14, 13]
    assert figures["by_tag"]["genre:even"]["n"] == 21
    assert sum(row["n"] for row in figures["by_tag"]["genre:odd"]["labels"].values()) == 20


def test_each_genre_has_lengths_of_its_own(tokenizer) -> None:
    lengths, figures = figures_of(toy_items(41, seed=6), tokenizer)
    even = figures["by_tag"]["genre:even"]["tokens"]["pair"]
    assert even["mean"] == pytest.approx(sum(lengths["pair"][::2]) / 21)
    assert even["max"] == max(lengths["pair"][::2])


def test_one_text_field_has_none_to_leave_out(tokenizer, tmp_path: Path) -> None:
    items = toy_items(30, seed=6)
    lengths = token_lengths(items, tokenizer, text_fields=("hypothesis",))
    figures = describe(
        items, lengths, labels=LABELS, text_fields=("hypothesis",), max_length=16, interval=share_interval
    )
    assert figures["single_text"] is None
    assert "alone" not in format_eda(figures)
    write_eda(figures, lengths, tmp_path)
    assert not (tmp_path / "single_text.png").exists()


def test_duplicates_and_contradictions_are_found(tokenizer) -> None:
    items = toy_items(12, seed=6)
    shouted = {name: f" {text.upper()} " for name, text in items[0].inputs.items()}
    items.append(items[0].model_copy(update={"id": "again", "inputs": shouted}))
    items.append(items[1].model_copy(update={"id": "disputed", "target": 2}))
    _, figures = figures_of(items, tokenizer)
    assert figures["duplicates"] == {
        "repeated": 2,
        "contradictory": 1,
        "repeated_ids": [[items[0].id, "again"], [items[1].id, "disputed"]],
        "contradictory_examples": [
            [{"label": "neutral", "id": items[1].id}, {"label": "contradiction", "id": "disputed"}]
        ],
    }
    assert f"neutral ({items[1].id}) against contradiction (disputed)" in format_eda(figures)


def test_files_and_table(tokenizer, tmp_path: Path) -> None:
    lengths, figures = figures_of(toy_items(30, seed=6), tokenizer)
    write_eda(figures, lengths, tmp_path / "eda")
    first = (tmp_path / "eda" / "lengths.svg").read_bytes()
    write_eda(figures, lengths, tmp_path / "eda")
    names = {path.name for path in (tmp_path / "eda").iterdir()}
    plots = ("lengths", "labels", "single_text")
    assert names == {"eda.json"} | {f"{plot}.{kind}" for plot in plots for kind in ("svg", "png")}
    assert json.loads((tmp_path / "eda" / "eda.json").read_text()) == figures
    assert (tmp_path / "eda" / "lengths.svg").read_bytes() == first
    table = format_eda(figures)
    assert "cut at 16" in table
    assert "pair, genre:odd" in table
    assert "hypothesis alone: " in table
    assert not [line for line in table.splitlines() if line != line.rstrip()]


def test_nothing_to_describe(tokenizer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no items"):
        describe([], {}, labels=LABELS, text_fields=FIELDS, max_length=16, interval=share_interval)
    (tmp_path / "file").write_text("")
    lengths, figures = figures_of(toy_items(3, seed=6), tokenizer)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_eda(figures, lengths, tmp_path / "file" / "eda")
