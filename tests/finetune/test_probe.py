"""A head that is fitted before the first step: it already reads the encoder, and leaves it as it is."""

from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from data.common.errors import ConfigurationError
from finetune.pooling import classifier_class
from finetune.probe import fit_head
from tests.support.tiny_encoder import LABELS, make_encoder
from tests.support.trainings import log_of, train_toy

SMALL = {"vocab_size": 40, "num_labels": 4}
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
MODELS = {
    "bert": lambda: BertForSequenceClassification(BertConfig(**SMALL, **SIZES)),
    "roberta": lambda: RobertaForSequenceClassification(RobertaConfig(**SMALL, **SIZES)),
    "electra": lambda: ElectraForSequenceClassification(ElectraConfig(**SMALL, **SIZES, embedding_size=32)),
    "distilbert": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(**SMALL, dim=32, n_layers=1, n_heads=2, hidden_dim=32)
    ),
    "xlnet": lambda: XLNetForSequenceClassification(XLNetConfig(**SMALL, d_model=32, n_layer=1, n_head=2, d_inner=32)),
}


def rows_of(labels: list[int]) -> list[dict]:
    """Texts of three tokens, of which the first and the last say the label."""
    return [
        {"input_ids": [10 + label, 6 + place % 3, 10 + label], "attention_mask": [1, 1, 1], "label": label}
        for place, label in enumerate(labels)
    ]


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    named = {"input_ids": "input_ids", "attention_mask": "attention_mask", "label": "labels"}
    return {to: torch.tensor([row[name] for row in rows]) for name, to in named.items()}


def answers(model: torch.nn.Module, rows: list[dict]) -> list[int]:
    batch = collate(rows)
    del batch["labels"]
    with torch.no_grad():
        return model.eval()(**batch).logits.argmax(dim=-1).tolist()


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_head_answers_before_the_first_step(kind: str) -> None:
    torch.manual_seed(0)
    model = MODELS[kind]()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    rows = rows_of([place % 4 for place in range(80)])
    fit_head(model, rows, collate=collate, seed=0, bf16=False)
    assert model.training
    assert answers(model, rows) == [row["label"] for row in rows]
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    assert len(changed) == 2, "weight and bias of the last layer alone"


def test_two_labels_and_one_that_no_row_has() -> None:
    torch.manual_seed(0)
    model = MODELS["bert"]()
    rows = rows_of([1, 3] * 20)
    fit_head(model, rows, collate=collate, seed=0, bf16=False)
    assert answers(model, rows) == [1, 3] * 20


def test_a_pooler_made_for_cls_lets_another_pooling_pass() -> None:
    torch.manual_seed(0)
    config = BertConfig(**SMALL, **SIZES, pooling="mean")
    model = classifier_class(config)(config)
    fit_head(model, rows_of([0, 1, 2, 3] * 10), collate=collate, seed=0, bf16=False)
    assert torch.equal(model.bert.pooler.dense.weight, torch.eye(32))
    assert not model.bert.pooler.dense.bias.any()


def test_what_hardly_varies_gets_no_endless_weight() -> None:
    torch.manual_seed(0)
    model = MODELS["bert"]()
    with torch.no_grad():  # the pooler's first number is the same for all texts, but for rounding
        model.bert.pooler.dense.weight[0] *= 1e-12
        model.bert.pooler.dense.bias[0] = 0.5
    rows = rows_of([0, 1, 2, 3] * 20)
    fit_head(model, rows, collate=collate, seed=0, bf16=True)
    model(**collate(rows)).loss.backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert model.classifier.weight.abs().max() < 100
    assert all(gradient.isfinite().all() and gradient.norm() < 1000 for gradient in gradients)


def test_training_begins_with_what_the_probe_knows(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path / "tiny")
    first = {
        probe: log_of(train_toy(encoder, tmp_path / str(probe), epochs=0.1, probe=probe))[0] for probe in (False, True)
    }
    assert first[True]["loss"] < first[False]["loss"]


def test_a_trained_head_is_not_replaced_unawares(tmp_path: Path) -> None:
    trained = make_encoder(tmp_path / "trained", labels=LABELS)
    with pytest.raises(ConfigurationError, match=r"--probe fits a new head, and .* has one for these labels already"):
        train_toy(trained, tmp_path / "out", probe=True)
