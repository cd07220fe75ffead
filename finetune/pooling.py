"""What of the encoder the classification head reads: [CLS], or a pooled vector in its place.

Encoders for sentence pairs put a special first token, [CLS], before the texts, and their classification heads read its
last hidden state alone. The other poolings give the same head, in the place of that state:

    mean, max   over all tokens
    pair        u and v, the means over either text, as a linear layer of [u, v, |u − v|, u ∘ v], the features that
                InferSent (arXiv:1705.02364) and Sentence-BERT (arXiv:1908.10084) compare two texts by; here the encoder
                has seen both texts together

`config.json` keeps the pooling. A checkpoint with another one than cls must be loaded by `classifier_class(config)`:
transformers' own class would read [CLS] with a head that never saw it.
"""

from collections.abc import Callable
from typing import Any, cast, get_args

import torch
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import BaseModelOutput

from data.common.errors import ConfigurationError
from finetune.config import Pooling

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
# Their heads read position 0 of the last layer, straight or through the encoder's own pooler.
POOLABLE = ("bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta")


def check_pooling(config: PretrainedConfig, pooling: Pooling, encoder: str, *, n_texts: int = 2) -> None:
    """Refuse a pooling that this kind of encoder, or this number of texts, cannot be given.

    Raises:
        ConfigurationError: Its head is not known to read the first position, or there is no pair to compare.
    """
    if pooling != "cls" and config.model_type not in POOLABLE:
        raise ConfigurationError(
            f"--pooling {pooling} is not possible with '{encoder}', a {config.model_type}; "
            f"it is with: {', '.join(POOLABLE)}. Use --pooling cls"
        )
    if pooling == "pair" and n_texts != 2:
        raise ConfigurationError("--pooling pair compares two texts, but --text-fields names one; use --pooling mean")


def classifier_class(config: PretrainedConfig) -> Any:
    """Return what to call `from_pretrained` of, for a classifier that pools as its configuration says.

    Raises:
        ConfigurationError: There is no such pooling.
    """
    pooling = getattr(config, "pooling", "cls")
    if pooling not in POOLINGS:
        raise ConfigurationError(
            f"the checkpoint's config.json has pooling = {pooling!r}; it is one of {', '.join(POOLINGS)}"
        )
    if pooling == "cls":
        return AutoModelForSequenceClassification
    architecture = cast(type[PreTrainedModel], MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)])

    def create(self: PreTrainedModel, config: PretrainedConfig) -> None:
        architecture.__init__(self, config)
        _pool(self)

    # By the architecture's own name, which is what config.json says of the weights.
    return type(architecture.__name__, (architecture,), {"__init__": create})


def _pool(model: PreTrainedModel) -> None:
    """Put the pooled vector where the head looks for [CLS]'s state."""
    config, body = model.config, model.base_model
    if config.pooling == "pair":
        # Within the encoder, so that its weights are saved, loaded, drawn and trained like any.
        body.pair_projection = torch.nn.Linear(4 * config.hidden_size, config.hidden_size)

    def replace_first(
        encoder: Any, arguments: tuple[Any, ...], options: dict[str, Any], output: BaseModelOutput
    ) -> BaseModelOutput:
        hidden = output["last_hidden_state"]  # (B, T, H)
        mask = options["attention_mask"].unsqueeze(-1)  # (B, T, 1)
        if config.pooling == "pair":
            ids = options["input_ids"] if "input_ids" in options else arguments[0]
            pooled = encoder.pair_projection(_pair(hidden, mask, ids == config.separator_token_id))
        else:
            pooled = _POOLS[config.pooling](hidden, mask)
        output["last_hidden_state"] = pooled.unsqueeze(1)  # (B, 1, H): heads read position 0
        if getattr(encoder, "pooler", None) is not None:
            output["pooler_output"] = encoder.pooler(output["last_hidden_state"])
        return output

    body.register_forward_hook(replace_first, with_kwargs=True)


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)  # (B, H); of no tokens, 0


def _max(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return hidden.masked_fill(mask == 0, float("-inf")).amax(dim=1)  # (B, H)


def _pair(hidden: torch.Tensor, mask: torch.Tensor, separators: torch.Tensor) -> torch.Tensor:
    """Return (B, 4H): either text's mean, their distance and their product in each dimension.

    A text ends with its separator, (B, T) of bool; RoBERTa's second separator between two texts counts to the second.
    """
    ended = separators.long().cumsum(dim=1) - separators.long()  # (B, T): separators before a token
    second = (ended > 0).unsqueeze(-1) * mask
    u, v = _mean(hidden, mask - second), _mean(hidden, second)
    return torch.cat([u, v, (u - v).abs(), u * v], dim=-1)


_POOLS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {"mean": _mean, "max": _max}
