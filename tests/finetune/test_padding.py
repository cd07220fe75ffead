"""What an encoder is given of an item, and how many tokens the ways of padding compute."""

import pytest

from finetune.eda import token_lengths
from finetune.encoders import load_tokenizer
from finetune.padding import format_inputs, padding_figures, tokenized_example
from tests.support.tiny_encoder import make_encoder, toy_items

FIELDS = ("premise", "hypothesis")


def test_padding_is_what_the_lengths_come_to_by_hand() -> None:
    figures = padding_figures([2, 8, 2, 8], max_length=6, batch_size=2, seed=0)
    # Cut at 6, the inputs hold 2 + 6 + 2 + 6 tokens; batches of like lengths need no padding.
    assert figures["max_length"] == {"tokens": 24, "padding": pytest.approx(1 - 16 / 24)}
    assert figures["by_length"]["tokens"] == 16 and figures["by_length"]["padding"] == 0
    assert figures["random"]["tokens"] in (16, 24)


def test_like_lengths_in_a_batch_save_padding() -> None:
    lengths = [3 + (7 * place) % 40 for place in range(500)]
    figures = padding_figures(lengths, max_length=64, batch_size=16, seed=1)
    shares = [figures[way]["padding"] for way in ("by_length", "random", "max_length")]
    assert shares == sorted(shares) and shares[0] < 0.1 < shares[1]


def test_the_example_is_the_item_of_median_length_as_the_encoder_reads_it(tmp_path) -> None:
    tokenizer = load_tokenizer(make_encoder(tmp_path / "tiny"))
    items = toy_items(31, seed=6)
    lengths = token_lengths(items, tokenizer, text_fields=FIELDS)["pair"]
    example = tokenized_example(items, lengths, tokenizer, text_fields=FIELDS, max_length=64)
    assert len(example["input_ids"]) == sorted(lengths)[15]
    words = f"[CLS] {example['texts']['premise']} [SEP] {example['texts']['hypothesis']} [SEP]"
    assert " ".join(example["tokens"]) == words
    printed = format_inputs(example, padding_figures(lengths, max_length=64, batch_size=8, seed=0))
    assert words in printed and "to the longest of a batch" in printed
