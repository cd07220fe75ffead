"""Finds what can be wrong with a training before it begins: settings, items, labels, the encoder."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from transformers import AutoConfig, PreTrainedTokenizerBase

from data.common.errors import ConfigurationError
from data.common.terminal import say
from data.labels import label_ids
from data.types import Item
from finetune.arguments import is_main_process, training_arguments
from finetune.config import TrainSettings
from finetune.encoders import load_pretrained, load_tokenizer, position_limit
from finetune.features import coverage, texts_of, tokenize
from finetune.heads import check_head
from finetune.pooling import check_pooling

LOOKED_AT = 500  # training items, for what the tokenizer makes of their texts


def check(
    settings: TrainSettings, *, train_items: Sequence[Item], eval_items: Sequence[Item], labels: Sequence[str]
) -> None:
    """Find what can be wrong with settings and items, without loading the encoder's weights or writing anything.

    Args:
        settings: What to train and how.
        train_items: What is learnt from.
        eval_items: What it is measured on.
        labels: The class names.

    Raises:
        ConfigurationError: Settings or data are not usable.
        MissingResourceError: The encoder cannot be found.
    """
    _check_items(train_items, eval_items, labels)
    for item in (*train_items, *eval_items):
        texts_of(item.inputs, settings.text_fields, where=item.id)
    training_arguments(settings, Path("checkpoint"), n_items=len(train_items))
    tokenizer = load_tokenizer(settings.model)
    _check_encoder(settings, tokenizer, labels)
    _say_poor_coverage(settings, tokenizer, train_items)


def _say_poor_coverage(settings: TrainSettings, tokenizer: PreTrainedTokenizerBase, items: Sequence[Item]) -> None:
    """Name an encoder that was not made for the language of the texts, before it is trained on them."""
    texts = [text for item in items[:LOOKED_AT] for text in texts_of(item.inputs, settings.text_fields, where=item.id)]
    found = coverage(tokenizer, texts)
    if found.is_poor and is_main_process():
        _say_once(
            f"the encoder '{settings.model}' hardly reads these texts: {found.unknown:.0%} of their tokens are unknown "
            f"to it, and a word takes {found.pieces:.1f} of them; take one of their language, or a multilingual one "
            "such as distilbert-base-multilingual-cased"
        )


_say_once = cache(say)  # a decision is planned when it is asked for, and again when it is run


def _check_items(train_items: Sequence[Item], eval_items: Sequence[Item], labels: Sequence[str]) -> None:
    if len({label.casefold() for label in labels}) != len(labels) or len(labels) < 2:
        raise ConfigurationError(f"labels must be two or more different names, got: {', '.join(labels)}")
    for name, items in (("train", train_items), ("evaluate", eval_items)):
        if not items:
            raise ConfigurationError(f"there are no items to {name} on; check --split, --data and --limit")
        label_ids(items, labels)
    seen = {item.choices[item.target] for item in train_items}
    if len(seen) < 2:
        raise ConfigurationError(
            f"all {len(train_items)} training items have the label '{seen.pop()}'; at least two labels are needed"
        )


def _check_encoder(settings: TrainSettings, tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]) -> None:
    config = load_pretrained(AutoConfig, settings.model)
    check_head(config, labels, settings.model, replace=settings.replace_head, probe=settings.probe)
    if tokenizer.pad_token is None:
        raise ConfigurationError(f"the tokenizer of '{settings.model}' has no padding token; name another --model")
    check_pooling(config, settings.pooling, settings.model, n_texts=len(settings.text_fields))
    if settings.pooling == "pair":
        _check_separator(settings, tokenizer)
    limit = position_limit(config, tokenizer)
    if limit is not None and settings.max_length > limit:
        raise ConfigurationError(
            f"max_length {settings.max_length} is more than the {limit} tokens '{settings.model}' has positions for; "
            f"use --max-length {limit} or less"
        )


def _check_separator(settings: TrainSettings, tokenizer: PreTrainedTokenizerBase) -> None:
    (example,) = tokenize(tokenizer, [("a", "b")], max_length=settings.max_length)
    ids = example["input_ids"]
    if tokenizer.sep_token_id not in ids[:-1]:
        raise ConfigurationError(
            f"--pooling pair needs a separator between two texts, and the tokenizer of '{settings.model}' writes none; "
            "use --pooling mean"
        )
