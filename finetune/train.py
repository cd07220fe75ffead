"""Fine-tune an encoder on labelled items with the Hugging Face Trainer, and leave a checkpoint that explains itself.

    items → token ids → Trainer (length-grouped batches, dynamic padding, bf16 where the hardware has it)
          → model + tokenizer + training_log.jsonl + curves.svg/png + training_card.json + README.md

All that can be wrong with settings and data is said before the first step. The checkpoint is written to a
sibling folder and renamed at the end, so a folder named `out` is always a whole one.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from data.errors import ConfigurationError
from data.hub import one_line, quiet_transformers
from data.overlap import without_overlap
from data.types import Item
from finetune.arguments import REFUSALS, training_arguments
from finetune.card import write_card
from finetune.config import TrainSettings
from finetune.encoders import label_names, load_pretrained, load_tokenizer, position_limit
from finetune.features import encode_items, label_ids, texts_of
from finetune.training_log import TrainingLog

ComputeMetrics = Callable[[Sequence[int], np.ndarray], dict[str, float]]  # (n,), (n, n_classes) -> figures by name


def train(
    settings: TrainSettings,
    *,
    train_items: Sequence[Item],
    eval_items: Sequence[Item],
    compute_metrics: ComputeMetrics,
    out: Path,
    labels: Sequence[str],
) -> Path:
    """Train a classifier, evaluating it before the first step, on the way and at the end.

    Args:
        settings: What to train and how.
        train_items: What is learnt from, apart from those that `eval_items` has too.
        eval_items: What it is measured on; never learnt from.
        compute_metrics: Takes targets (n,) and probs (n, n_classes), both in the order of the checkpoint's labels.
        out: The checkpoint's folder; it must not exist, or be empty.
        labels: The class names.

    Returns:
        `out`.

    Raises:
        ConfigurationError: Settings, data or `out` are not usable.
        MissingResourceError: The encoder cannot be found.
    """
    learnt = _not_evaluated(train_items, eval_items)
    check(settings, train_items=learnt, eval_items=eval_items, labels=labels)
    with _whole_folder(out) as folder:
        arguments = training_arguments(settings, folder)
        names = _head_labels(settings, labels)
        log = TrainingLog(folder)
        trainer = _trainer(settings, arguments, names, sets=(learnt, eval_items), compute_metrics=compute_metrics)
        wall_s = _run(trainer, log)
        _save(trainer, folder)
        card = partial(write_card, folder, settings=settings, arguments=arguments, labels=names)
        left_out = len(train_items) - len(learnt)
        card(train_items=learnt, left_out=left_out, eval_items=eval_items, events=log.events, wall_s=wall_s)
    return out


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
    training_arguments(settings, Path("checkpoint"))
    _check_max_length(settings, load_tokenizer(settings.model))


def _not_evaluated(train_items: Sequence[Item], eval_items: Sequence[Item]) -> list[Item]:
    learnt = without_overlap(train_items, eval_items)
    if len(learnt) < len(train_items):
        left_out = f"{len(train_items) - len(learnt)} of {len(train_items)} training items"
        sys.stderr.write(f"{left_out} are also evaluated and are left out\n")
    return learnt


def _trainer(
    settings: TrainSettings,
    arguments: TrainingArguments,
    labels: Sequence[str],
    *,
    sets: tuple[Sequence[Item], Sequence[Item]],
    compute_metrics: ComputeMetrics,
) -> Trainer:
    """Load the encoder, encode the items that are learnt from and measured on (`sets`), and hand all to a Trainer."""
    tokenizer = load_tokenizer(settings.model)
    train_set, eval_set = (
        encode_items(tokenizer, items, labels=labels, text_fields=settings.text_fields, max_length=settings.max_length)
        for items in sets
    )
    set_seed(settings.seed)  # the new head is drawn at random while the model loads
    model = _load_model(settings, labels)
    try:
        return Trainer(
            model=model,
            args=arguments,
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=train_set,
            eval_dataset=eval_set,
            compute_metrics=lambda prediction: _measure(prediction, compute_metrics),
        )
    except REFUSALS as error:
        raise ConfigurationError(f"transformers refuses these training arguments: {one_line(error)}") from error


def _run(trainer: Trainer, log: TrainingLog) -> float:
    """Train, end with an evaluation of the model that is saved, and return the seconds."""
    # Both print to stdout, which is kept for what a command returns.
    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(log)
    started = time.perf_counter()
    trainer.train()
    last = log.events[-1]
    if last["event"] != "evaluation" or last["step"] != trainer.state.global_step:
        trainer.evaluate()
    return time.perf_counter() - started


def _save(trainer: Trainer, folder: Path) -> None:
    """Save model and tokenizer; `Trainer.save_model` adds a pickle of the arguments, which the card has as JSON."""
    with quiet_transformers():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(folder)
        cast(PreTrainedTokenizerBase, trainer.processing_class).save_pretrained(folder)


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


def _check_max_length(settings: TrainSettings, tokenizer: PreTrainedTokenizerBase) -> None:
    limit = position_limit(load_pretrained(AutoConfig, settings.model), tokenizer)
    if limit is not None and settings.max_length > limit:
        raise ConfigurationError(
            f"max_length {settings.max_length} is more than the {limit} tokens '{settings.model}' has positions for; "
            f"use --max-length {limit} or less"
        )


def _head_labels(settings: TrainSettings, labels: Sequence[str]) -> list[str]:
    """Return `labels` in the order of the head's columns: a head that already has these names keeps its own order."""
    own = label_names(load_pretrained(AutoConfig, settings.model))
    if {name.casefold() for name in own} == {name.casefold() for name in labels} and len(own) == len(labels):
        return own
    return list(labels)


def _load_model(settings: TrainSettings, labels: Sequence[str]) -> PreTrainedModel:
    loaded: tuple[PreTrainedModel, dict[str, Any]] = load_pretrained(
        AutoModelForSequenceClassification,
        settings.model,
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
            f"the weights of '{settings.model}' do not fit its config.json, such as {body[0]}; copy the encoder again"
        )
    return model


def _measure(prediction: EvalPrediction, compute_metrics: ComputeMetrics) -> dict[str, float]:
    logits = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
    scores = torch.from_numpy(np.asarray(logits, dtype=np.float64))  # (n, n_classes)
    return compute_metrics(np.asarray(prediction.label_ids).tolist(), torch.softmax(scores, dim=-1).numpy())


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Give a sibling of `out` to write into, and rename it to `out` only if nothing went wrong."""
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ConfigurationError(f"'{out}' exists and is not empty; name another --out, or remove it")
        partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
        partial.mkdir(parents=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the checkpoint to '{out}': {error.strerror}; name another --out"
        ) from error
    try:
        yield partial
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
