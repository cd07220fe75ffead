"""What the head reads: position 0, the mean or the maximum, the same after saving and loading."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, XLNetConfig

from data.common.errors import ConfigurationError
from finetune.classifier import load_classifier
from finetune.features import tokenize
from finetune.heads import load_new_classifier
from finetune.pooling import check_pooling, classifier_class
from tests.support.tiny_encoder import LABELS, make_encoder, toy_items
from tests.support.trainings import train_toy

BATCH = {
    "input_ids": torch.tensor([[2, 5, 9, 11, 3], [2, 6, 3, 0, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_the_head_reads_the_pooled_vector(encoder: Path, pooling: str) -> None:
    model = load_new_classifier(str(encoder), LABELS, pooling=pooling).eval()
    plain = load_new_classifier(str(encoder), LABELS, pooling="cls").eval()
    plain.load_state_dict(model.state_dict())
    hidden = plain.distilbert(**BATCH).last_hidden_state  # (2, 5, H)
    rows = [hidden[0, :5], hidden[1, :3]]  # without padding
    pooled = {
        "cls": [row[0] for row in rows],
        "mean": [row.mean(0) for row in rows],
        "max": [row.amax(0) for row in rows],
    }
    head = torch.relu(plain.pre_classifier(torch.stack(pooled[pooling])))
    assert torch.allclose(model(**BATCH).logits, plain.classifier(head), atol=1e-6)


def test_an_encoder_with_a_pooler_pools_before_it() -> None:
    config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=3
    )
    model = BertForSequenceClassification(config).eval()
    config.pooling = "mean"
    pooled = classifier_class(config)(config).eval()
    pooled.load_state_dict(model.state_dict())
    hidden = model.bert(**BATCH).last_hidden_state
    mean = torch.stack([hidden[0].mean(0), hidden[1, :3].mean(0)])
    expected = model.classifier(torch.tanh(model.bert.pooler.dense(mean)))
    assert torch.allclose(pooled(**BATCH).logits, expected, atol=1e-6)


def test_a_pair_is_compared_by_the_means_of_its_texts(encoder: Path) -> None:
    model = load_new_classifier(str(encoder), LABELS, pooling="pair").eval()
    plain = load_new_classifier(str(encoder), LABELS, pooling="cls").eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    # [CLS] a b [SEP] c d [SEP] and [CLS] a [SEP] b [SEP]
    batch = {
        "input_ids": torch.tensor([[2, 5, 9, 3, 11, 12, 3], [2, 6, 3, 7, 3, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]]),
    }
    hidden = plain.distilbert(**batch).last_hidden_state
    rows = []
    for row, (first, last) in enumerate(((4, 7), (3, 5))):
        u, v = hidden[row, :first].mean(0), hidden[row, first:last].mean(0)
        rows.append(torch.cat([u, v, (u - v).abs(), u * v]))
    compared = model.distilbert.pair_projection(torch.stack(rows))
    expected = plain.classifier(torch.relu(plain.pre_classifier(compared)))
    assert torch.allclose(model(**batch).logits, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "pair"])
def test_a_trained_pooling_is_loaded_again(encoder: Path, tmp_path: Path, pooling: str) -> None:
    out = train_toy(encoder, tmp_path / "out", pooling=pooling, epochs=3)
    items = toy_items(60, seed=2, split="validation")
    classifier = load_classifier(out, labels=LABELS, bf16="off")
    right = sum(
        p.choice == i.target for p, i in zip(classifier.batch([i.to_input() for i in items]), items, strict=True)
    )
    assert "| accuracy | " in (out / "README.md").read_text()
    assert f"{right / len(items):.4f}" in (out / "README.md").read_text()
    assert "load it with `load_classifier`" in (out / "README.md").read_text()


def test_dropout_takes_the_place_of_every_rate(encoder: Path) -> None:
    model = load_new_classifier(str(encoder), LABELS, pooling="cls", dropout=0.0).train()
    assert torch.equal(model(**BATCH).logits, model(**BATCH).logits)
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {0.0}
    kept = load_new_classifier(str(encoder), LABELS, pooling="cls").train()
    assert not torch.equal(kept(**BATCH).logits, kept(**BATCH).logits)


def test_a_separator_that_a_text_spells_is_part_of_the_text(encoder: Path) -> None:
    (row,) = tokenize(AutoTokenizer.from_pretrained(encoder), [("a [SEP] b", "c")], max_length=48)
    assert [place for place, token in enumerate(row["input_ids"]) if token == 3] == [
        len(row["input_ids"]) - 3,
        len(row["input_ids"]) - 1,
    ]


def test_pair_needs_a_tokenizer_that_separates(encoder: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(encoder, tmp_path / "bare")
    described = json.loads((bare / "tokenizer.json").read_text())
    described["post_processor"] = None
    (bare / "tokenizer.json").write_text(json.dumps(described))
    settings = json.loads((bare / "tokenizer_config.json").read_text())
    # Of no class that would write the separators itself.
    (bare / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    with pytest.raises(ConfigurationError, match="needs a separator between two texts"):
        train_toy(bare, tmp_path / "out", pooling="pair")
    assert not (tmp_path / "out").exists()


def test_frozen_embeddings_stay_what_they_were(encoder: Path, tmp_path: Path) -> None:
    before = load_new_classifier(str(encoder), LABELS, pooling="cls").state_dict()
    out = train_toy(encoder, tmp_path / "out", epochs=0.2, freeze_embeddings=True)
    after = load_classifier(out, labels=LABELS).model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if ".embeddings." in name}


def test_a_pooling_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--pooling mean is not possible with 'x', a xlnet"):
        check_pooling(XLNetConfig(), "mean", "x")
    check_pooling(XLNetConfig(), "cls", "x")
    with pytest.raises(ConfigurationError, match="compares two texts, but --text-fields names one"):
        check_pooling(BertConfig(), "pair", "x", n_texts=1)


def test_another_tasks_checkpoint_is_not_trained_on_unawares(tmp_path: Path) -> None:
    sentiment = make_encoder(tmp_path / "sentiment", labels=("negative", "positive"))
    with pytest.raises(
        ConfigurationError, match=r"of another task, with the labels negative, positive.*--replace-head"
    ):
        train_toy(sentiment, tmp_path / "out", epochs=0.1)
    out = train_toy(sentiment, tmp_path / "out", epochs=0.1, replace_head=True)
    assert load_classifier(out, labels=LABELS).columns == (0, 1, 2)


def test_a_replaced_head_is_drawn_anew(tmp_path: Path) -> None:
    feeling = make_encoder(tmp_path / "feeling", labels=("negative", "neutral", "positive"))
    own = load_new_classifier(str(feeling), ("positive", "negative", "neutral"), pooling="cls")
    drawn = load_new_classifier(str(feeling), LABELS, pooling="cls")
    assert not torch.equal(own.classifier.weight, drawn.classifier.weight)
    assert torch.equal(
        own.distilbert.embeddings.word_embeddings.weight, drawn.distilbert.embeddings.word_embeddings.weight
    )


def test_what_another_checkpoint_says_is_not_taken_over(encoder: Path, tmp_path: Path) -> None:
    other = load_new_classifier(str(encoder), LABELS, pooling="mean")
    other.config.problem_type = "multi_label_classification"
    other.save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(tmp_path / "other")
    out = train_toy(tmp_path / "other", tmp_path / "out", epochs=0.1)
    config = load_classifier(out, labels=LABELS).model.config
    assert (config.pooling, config.problem_type) == ("cls", "single_label_classification")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigurationError, match="no padding token"):
        train_toy(tmp_path / "other", tmp_path / "again")
