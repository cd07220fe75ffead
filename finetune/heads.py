"""The classifier that is trained: an encoder with a head for the labels, and what of the encoder the head reads.

Encoders for sentence pairs put a special first token, [CLS], before the texts, and their classification heads read its
last hidden state alone. `pooling` gives the same head the mean or the maximum over all tokens in its place, so that
the three can be compared with nothing else changed.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from data.errors import ConfigurationError
from finetune.encoders import is_classifier, label_names, load_pretrained

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import BaseModelOutput

Pooling = Literal["cls", "mean", "max"]
# Their heads read position 0 of the last layer, straight or through the encoder's own pooler.
POOLABLE = ("bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta")
# What configurations call dropout's rate; each has some of these.
DROPOUT_NAMES = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "dropout", "attention_dropout"),
    *("seq_classif_dropout", "classifier_dropout_prob", "pooler_dropout", "embedding_dropout", "mlp_dropout"),
)


def load_new_classifier(
    encoder: str, labels: Sequence[str], *, pooling: Pooling, dropout: float | None = None
) -> "PreTrainedModel":
    """Load an encoder with a new head, drawn from torch's random state, or with its own where that has these labels.

    Args:
        encoder: A hub id, a folder, or a packaged encoder.
        labels: In the order of the head's columns.
        pooling: What the head reads.
        dropout: In place of every rate in the encoder's configuration; None keeps them.

    Raises:
        ConfigurationError: The weights do not fit the encoder's configuration, or `pooling` does not fit the encoder.
        MissingResourceError: There is no such encoder.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = load_pretrained(AutoConfig, encoder)
    rates = _dropout_rates(config, dropout, encoder)
    loaded: tuple[PreTrainedModel, dict[str, Any]] = load_pretrained(
        AutoModelForSequenceClassification,
        encoder,
        **rates,
        problem_type="single_label_classification",  # a checkpoint of another task may say otherwise
        id2label=dict(enumerate(labels)),
        label2id={name: column for column, name in enumerate(labels)},
        ignore_mismatched_sizes=True,  # a head for other labels is replaced
        use_safetensors=True,  # no pickle
        dtype=torch.float32,
        output_loading_info=True,
    )
    model, report = loaded
    replaced = sorted(str(key[0]) for key in report["mismatched_keys"])
    body = [name for name in replaced if name.startswith(f"{model.base_model_prefix}.")]
    if body:
        raise ConfigurationError(
            f"the weights of '{encoder}' do not fit its config.json, such as {body[0]}; copy the encoder again"
        )
    if is_classifier(config) and not _same_names(config, labels):
        _draw_head(model)
    check_pooling(model.config, pooling, encoder)
    set_pooling(model, pooling)
    return model


def _dropout_rates(config: "PretrainedConfig", dropout: float | None, encoder: str) -> dict[str, float]:
    if dropout is None:
        return {}
    names = [name for name in DROPOUT_NAMES if hasattr(config, name)]
    if not names:
        raise ConfigurationError(
            f"--dropout {dropout}: the configuration of '{encoder}' has no rate known; leave it out"
        )
    return dict.fromkeys(names, dropout)


def _draw_head(model: "PreTrainedModel") -> None:
    """Draw the head anew: one of as many labels was loaded, but they are other labels."""
    drawn = type(model)(model.config).state_dict()
    head = {name: weight for name, weight in drawn.items() if not name.startswith(f"{model.base_model_prefix}.")}
    model.load_state_dict(head, strict=False)


def _same_names(config: "PretrainedConfig", labels: Sequence[str]) -> bool:
    return sorted(name.casefold() for name in label_names(config)) == sorted(name.casefold() for name in labels)


def head_labels(config: "PretrainedConfig", labels: Sequence[str]) -> list[str]:
    """Return `labels` in the order of the head's columns: a head that already has these names keeps its own order."""
    return label_names(config) if _same_names(config, labels) else list(labels)


def check_head(config: "PretrainedConfig", labels: Sequence[str], encoder: str, *, replace: bool) -> None:
    """Refuse to train on from another task's checkpoint unawares: its head would be taken for the labels'.

    Raises:
        ConfigurationError: The encoder is a classifier of other labels, and its head is not to be replaced.
    """
    own = label_names(config)
    unnamed = all(name == f"LABEL_{column}" for column, name in enumerate(own))
    if replace or unnamed or not is_classifier(config) or _same_names(config, labels):
        return
    raise ConfigurationError(
        f"'{encoder}' is a classifier of another task, with the labels {', '.join(own)}, not {', '.join(labels)}; "
        "start from its base encoder, or train on from it with --replace-head"
    )


def check_pooling(config: "PretrainedConfig", pooling: Pooling, encoder: str) -> None:
    """Refuse a pooling that this kind of encoder cannot be given.

    Raises:
        ConfigurationError: Its head is not known to read the first position.
    """
    if pooling != "cls" and config.model_type not in POOLABLE:
        raise ConfigurationError(
            f"--pooling {pooling} is not possible with '{encoder}', a {config.model_type}; "
            f"it is with: {', '.join(POOLABLE)}. Use --pooling cls"
        )


def set_pooling(model: "PreTrainedModel", pooling: Pooling) -> None:
    """Give the head the pooled vector in place of the first token's, and write it into the model's configuration.

    The weights and their names stay those of the architecture; only `load_classifier` knows to pool, so a checkpoint
    with another pooling than `cls` must be loaded by it.

    Raises:
        ConfigurationError: There is no such pooling.
    """
    if pooling != "cls" or hasattr(model.config, "pooling"):
        model.config.pooling = pooling
    if pooling == "cls":
        return
    if pooling not in _POOLS:
        raise ConfigurationError(f"the checkpoint's config.json has pooling = {pooling!r}; it is one of cls, mean, max")
    pool = _POOLS[pooling]

    def replace_first(
        encoder: Any, _args: tuple[Any, ...], inputs: dict[str, Any], output: "BaseModelOutput"
    ) -> "BaseModelOutput":
        hidden = output["last_hidden_state"]  # (B, T, H)
        mask = inputs["attention_mask"].unsqueeze(-1)  # (B, T, 1)
        output["last_hidden_state"] = pool(hidden, mask).unsqueeze(1)  # (B, 1, H): heads read position 0
        if getattr(encoder, "pooler", None) is not None:
            output["pooler_output"] = encoder.pooler(output["last_hidden_state"])
        return output

    model.base_model.register_forward_hook(replace_first, with_kwargs=True)


def _mean(hidden: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)  # (B, H)


def _max(hidden: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    return hidden.masked_fill(mask == 0, float("-inf")).amax(dim=1)  # (B, H)


_POOLS: dict[str, Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]] = {"mean": _mean, "max": _max}
