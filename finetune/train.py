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
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

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
from data.hub import quiet_transformers
from data.types import Item
from finetune.card import write_card
from finetune.config import TrainSettings, learning_rate, use_bf16
from finetune.encoders import label_names, load_pretrained, load_tokenizer, position_limit
from finetune.features import encode_items, label_ids
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
        train_items: What is learnt from.
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
    _check_items(train_items, eval_items, labels)
    with _whole_folder(out) as folder:
        arguments = _training_arguments(settings, folder)
        names = _head_labels(settings, labels)
        tokenizer = load_tokenizer(settings.model)
        _check_max_length(settings, tokenizer)
        train_set, eval_set = (
            encode_items(
                tokenizer, items, labels=names, text_fields=settings.text_fields, max_length=settings.max_length
            )
            for items in (train_items, eval_items)
        )
        set_seed(settings.seed)  # the new head is drawn at random while the model loads
        log = TrainingLog(folder)
        trainer = Trainer(
            model=_load_model(settings, names),
            args=arguments,
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
            train_dataset=train_set,
            eval_dataset=eval_set,
            compute_metrics=lambda prediction: _measure(prediction, compute_metrics),
        )
        wall_s = _run(trainer, log)
        _save(trainer, folder, tokenizer)
        write_card(
            folder,
            settings=settings,
            arguments=arguments,
            labels=names,
            train_items=train_items,
            eval_items=eval_items,
            events=log.events,
            wall_s=wall_s,
        )
    return out


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


def _save(trainer: Trainer, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Save model and tokenizer; `Trainer.save_model` adds a pickle of the arguments, which the card has as JSON."""
    with quiet_transformers():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


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
    learnt = {tuple(item.inputs.values()) for item in train_items}
    repeated = sum(tuple(item.inputs.values()) in learnt for item in eval_items)
    if repeated == len(eval_items):
        raise ConfigurationError(
            "every evaluation item is a training item: name others with --eval-split or --eval-data"
        )
    if repeated:
        sys.stderr.write(f"warning: {repeated} of {len(eval_items)} evaluation items are training items too\n")


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
    model: PreTrainedModel = load_pretrained(
        AutoModelForSequenceClassification,
        settings.model,
        id2label=dict(enumerate(labels)),
        label2id={name: column for column, name in enumerate(labels)},
        ignore_mismatched_sizes=True,  # a head for other labels is replaced
        use_safetensors=True,  # no pickle
        dtype=torch.float32,
    )
    return model


def _training_arguments(settings: TrainSettings, folder: Path) -> TrainingArguments:
    known = {field.name for field in fields(TrainingArguments) if field.init}
    for name in settings.extra:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            guess = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(f"--set {name}: transformers.TrainingArguments has no such field{guess}")
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": settings.batch_size,
        "per_device_eval_batch_size": settings.batch_size,
        "num_train_epochs": settings.epochs,
        "learning_rate": learning_rate(settings),
        "warmup_steps": settings.warmup,
        "weight_decay": settings.weight_decay,
        "seed": settings.seed,
        "use_cpu": not torch.accelerator.is_available(),
        "bf16": use_bf16(settings.bf16),
        "train_sampling_strategy": "group_by_length",
        "eval_on_start": True,
        "eval_strategy": "steps" if settings.eval_steps else "epoch",
        "eval_steps": settings.eval_steps,
        "logging_steps": settings.logging_steps,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # a loss that is not a number is said, not smoothed away
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
    try:
        return TrainingArguments(**(values | settings.extra))
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigurationError(f"transformers refuses these training arguments: {error}") from error


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
