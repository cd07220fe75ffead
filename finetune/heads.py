"""The classifier that is trained: an encoder with a head for the labels, its own or a new one."""

from collections.abc import Sequence

import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from finetune.config import Pooling
from finetune.encoders import is_classifier, label_names, load_pretrained, load_tokenizer
from finetune.pooling import check_pooling, classifier_class

SINGLE_LABEL = "single_label_classification"
# What configurations call dropout's rate; each has some of these.
DROPOUT_NAMES = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "dropout", "attention_dropout"),
    *("seq_classif_dropout", "classifier_dropout_prob", "pooler_dropout", "embedding_dropout", "mlp_dropout"),
)


def load_new_classifier(
    encoder: str,
    labels: Sequence[str],
    *,
    pooling: Pooling,
    dropout: float | None = None,
    freeze_embeddings: bool = False,
) -> PreTrainedModel:
    """Load an encoder with a new head, drawn from torch's random state, or with its own where that has these labels.

    Args:
        encoder: A hub id, a folder, or a packaged encoder.
        labels: The class names, in the order of the head's columns.
        pooling: What the head reads.
        dropout: The rate that takes the place of every one in the encoder's configuration; None keeps them.
        freeze_embeddings: Do not train the embeddings: of tokens and positions in encoders of BERT's kind, of tokens
            alone where a model keeps positions elsewhere.

    Raises:
        ConfigurationError: The weights do not fit the encoder's configuration, or `pooling` does not fit the encoder.
        MissingResourceError: There is no such encoder.
    """
    config: PretrainedConfig = load_pretrained(AutoConfig, encoder)
    check_pooling(config, pooling, encoder)
    other_labels = is_classifier(config) and not same_names(config, labels)
    rates = _dropout_rates(config, dropout, encoder)
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: column for column, name in enumerate(labels)}}
    # A checkpoint of another task may say another problem.
    config.update(rates | names | _pooling_facts(config, pooling, encoder) | {"problem_type": SINGLE_LABEL})
    loaded: tuple[PreTrainedModel, JsonObject] = load_pretrained(
        classifier_class(config),
        encoder,
        config=config,
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
    if other_labels:
        _draw_head(model)
    if freeze_embeddings:
        _embeddings(model).requires_grad_(False)
    return model


def _embeddings(model: PreTrainedModel) -> torch.nn.Module:
    """Return the module that holds all the embeddings, as the encoders of BERT's kind name it, or the tokens' alone."""
    embeddings: torch.nn.Module = getattr(model.base_model, "embeddings", None) or model.get_input_embeddings()
    return embeddings


def _pooling_facts(config: PretrainedConfig, pooling: Pooling, encoder: str) -> JsonObject:
    """Return what the checkpoint's configuration has to say for `classifier_class`; nothing for the usual pooling."""
    if pooling == "pair":
        return {"pooling": pooling, "separator_token_id": load_tokenizer(encoder).sep_token_id}
    return {"pooling": pooling} if pooling != "cls" or hasattr(config, "pooling") else {}


def _dropout_rates(config: PretrainedConfig, dropout: float | None, encoder: str) -> dict[str, float]:
    if dropout is None:
        return {}
    names = [name for name in DROPOUT_NAMES if hasattr(config, name)]
    if not names:
        raise ConfigurationError(
            f"--dropout {dropout}: the configuration of '{encoder}' has no rate known; leave it out"
        )
    return dict.fromkeys(names, dropout)


def _draw_head(model: PreTrainedModel) -> None:
    """Draw the head anew: one of as many labels was loaded, but they are other labels."""
    drawn = type(model)(model.config).state_dict()
    head = {name: weight for name, weight in drawn.items() if not name.startswith(f"{model.base_model_prefix}.")}
    model.load_state_dict(head, strict=False)


def same_names(config: PretrainedConfig, labels: Sequence[str]) -> bool:
    """Say whether a classifier's labels have these names, in any order."""
    return sorted(name.casefold() for name in label_names(config)) == sorted(name.casefold() for name in labels)


def head_labels(config: PretrainedConfig, labels: Sequence[str]) -> list[str]:
    """Return `labels` in the order of the head's columns: a head that already has these names keeps its own order."""
    return label_names(config) if same_names(config, labels) else list(labels)


def check_head(
    config: PretrainedConfig, labels: Sequence[str], encoder: str, *, replace: bool, probe: bool = False
) -> None:
    """Refuse to train on from another task's checkpoint unawares, or to fit a head in the place of a trained one.

    Raises:
        ConfigurationError: The encoder is a classifier whose head is not to be replaced: it is of other labels, which
            would be taken for these, or it is of these, and a head is to be fitted.
    """
    if replace or not is_classifier(config):
        return
    own = label_names(config)
    unnamed = all(name == f"LABEL_{column}" for column, name in enumerate(own))
    if not unnamed and not same_names(config, labels):
        raise ConfigurationError(
            f"'{encoder}' is a classifier of another task, with the labels {', '.join(own)}, not {', '.join(labels)}; "
            "start from its base encoder, or train on from it with --replace-head"
        )
    if probe:
        raise ConfigurationError(
            f"--probe fits a new head, and '{encoder}' has one for these labels already; leave --probe out"
        )
