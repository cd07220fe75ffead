"""A head to begin with that is fitted, not drawn: logistic regression on what the encoder makes of the texts.

A drawn head says nothing, and the gradients of its first steps distort what the encoder has learnt before. Where the
head already reads the encoder, training only has to better it ("LP-FT").

Source:
    Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution",
    arXiv:2202.10054.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from data.common.errors import ConfigurationError
from finetune.features import Features

MOST_ROWS = 20_000  # beyond so many, more rows hardly change the head
WEIGHT = 0.1  # of the data against that of small coefficients, the columns being of one scale
LEAST_SPREAD = 0.1  # of a column, as a share of the widest one's
BATCH = 64
Collate = Callable[[list[Features]], Any]  # rows in, the encoder's padded inputs as tensors out


def fit_head(model: PreTrainedModel, rows: Sequence[Features], *, collate: Collate, seed: int, bf16: bool) -> None:
    """Set the head's last layer to logistic regression on what that layer is given, for at most `MOST_ROWS` rows.

    The pooler of an encoder of BERT's kind, which was trained for [CLS] alone, lets pass what another pooling hands it.

    Args:
        model: A new classifier; its encoder is left as it is.
        rows: The encoded training items.
        collate: Pads rows into a batch.
        seed: Draws the rows, where they are more.
        bf16: Whether the encoder computes in bf16, as it will in training.

    Raises:
        ConfigurationError: The model has no linear layer that gives a number for each label.
    """
    from sklearn.linear_model import LogisticRegression

    if getattr(model.config, "pooling", "cls") != "cls":
        _let_pass(model)
    layer = _last_layer(model)
    chosen = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
    picked = sorted((rows[place] for place in chosen), key=lambda row: len(row["input_ids"]))
    inputs = _inputs_of(layer, model, picked, collate=collate, bf16=bf16)  # (n, H)
    targets = [int(np.argmax(label)) if isinstance(label := row["label"], list) else int(label) for row in picked]
    means, spread = inputs.mean(axis=0), inputs.std(axis=0)
    # A column that hardly varies must not be blown up: its weight would be endless, and so would the first gradients.
    spread = np.maximum(spread, LEAST_SPREAD * (spread.max() or 1.0))
    fitted = LogisticRegression(C=WEIGHT, max_iter=1000).fit((inputs - means) / spread, targets)
    weights, biases = _of_all_labels(fitted, layer.out_features)
    weights = weights / spread
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        layer.bias.copy_(torch.from_numpy(biases - weights @ means))


def _of_all_labels(fitted: Any, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (n_labels, H) and biases (n_labels,); a label without rows is as unlikely as any."""
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weights, biases = np.zeros((n_labels, coefficients.shape[1])), np.full(n_labels, float(intercepts.min()))
    weights[fitted.classes_], biases[fitted.classes_] = coefficients, intercepts
    return weights, biases


def _last_layer(model: PreTrainedModel) -> torch.nn.Linear:
    body = set(model.base_model.modules())
    layers = [one for one in model.modules() if isinstance(one, torch.nn.Linear) and one not in body]
    last = next((one for one in reversed(layers) if one.out_features == model.config.num_labels), None)
    if last is None or last.bias is None:
        raise ConfigurationError(
            f"the head of a {model.config.model_type} ends in no linear layer that could be fitted; leave --probe out"
        )
    return last


def _let_pass(model: PreTrainedModel) -> None:
    """Make the pooler, where there is one, hand on what it is given; its tanh hardly bends a mean of hidden states."""
    dense = getattr(getattr(model.base_model, "pooler", None), "dense", None)
    if isinstance(dense, torch.nn.Linear) and dense.in_features == dense.out_features:
        with torch.no_grad():
            torch.nn.init.eye_(dense.weight)
            torch.nn.init.zeros_(dense.bias)


def _inputs_of(
    layer: torch.nn.Linear, model: PreTrainedModel, rows: Sequence[Features], *, collate: Collate, bf16: bool
) -> np.ndarray:
    """Return what the layer is given for each row, (n, H), with dropout off."""
    given: list[np.ndarray] = []

    def keep(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        given.append(arguments[0].float().cpu().numpy())

    was_training = model.training
    hook = layer.register_forward_pre_hook(keep)
    model.eval()
    try:
        with torch.inference_mode(), torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=bf16):
            for start in range(0, len(rows), BATCH):
                batch = collate(list(rows[start : start + BATCH]))
                model(**{name: values.to(model.device) for name, values in batch.items() if name != "labels"})
    finally:
        hook.remove()
        model.train(was_training)
    return np.concatenate(given).astype(np.float64)
