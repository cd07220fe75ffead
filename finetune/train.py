"""Fine-tune an encoder on labelled items with the Hugging Face Trainer, and leave a checkpoint that explains itself.

    items → token ids → Trainer (length-grouped batches, dynamic padding, bf16 where the hardware has it)
          → model + tokenizer + training_log.jsonl + curves.svg/png + training_card.json + README.md

All that can be wrong with settings and data is said before the first step. A run that was cut off goes on from its
last saved state as if nothing had happened (`finetune.working_folder`). Under torchrun or accelerate every process
calls `train`; the first one alone writes.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from accelerate import PartialState
from transformers import AutoConfig, PreTrainedTokenizerBase, Trainer, TrainingArguments

from data.common.errors import ConfigurationError
from data.common.hub import quiet_transformers
from data.common.parsing import JsonObject
from data.common.terminal import say
from data.labels import label_ids
from data.registry import fingerprint
from data.splits import without_overlap
from data.types import Item
from finetune.arguments import devices, is_main_process, training_arguments
from finetune.card import write_card
from finetune.config import TrainSettings
from finetune.encoders import load_pretrained, load_tokenizer, position_limit
from finetune.features import coverage, texts_of, tokenize
from finetune.heads import check_head, head_labels
from finetune.pooling import check_pooling
from finetune.trainer import ComputeMetrics, ItemTrainer, build_trainer
from finetune.training_curves import CURVE_FILES
from finetune.training_log import LOG_FILE, LossNotFiniteError, TrainingLog
from finetune.working_folder import (
    STATE_FILE,
    WHOLE_FOLDER,
    forget_states,
    last_saved,
    open_working_folder,
    working_folder,
)

# items, probs (n, n_classes), the class names in the order of the columns -> figures for the card
Report = Callable[[Sequence[Item], np.ndarray, Sequence[str]], JsonObject]

LOOKED_AT = 500  # training items, for what the tokenizer makes of their texts


class _Data(NamedTuple):
    """The three sets of a run; `held_out` is empty where evaluations during training look at `evaluated`."""

    learnt: Sequence[Item]
    evaluated: Sequence[Item]
    held_out: Sequence[Item]
    left_out: int


def train(
    settings: TrainSettings,
    *,
    train_items: Sequence[Item],
    eval_items: Sequence[Item],
    compute_metrics: ComputeMetrics,
    out: Path,
    labels: Sequence[str],
    held_out: Sequence[Item] = (),
    report: Report | None = None,
    resume: bool = False,
) -> Path:
    """Train a classifier, evaluating it before the first step, on the way and at the end.

    Args:
        settings: What to train and how.
        train_items: What is learnt from, apart from those that `eval_items` or `held_out` have too.
        eval_items: What it is measured on; never learnt from.
        compute_metrics: Takes targets (n,) and probs (n, n_classes), both in the order of the checkpoint's labels.
        out: The checkpoint's folder; it must not exist, or be empty.
        labels: The class names.
        held_out: Where given, evaluations during training, and so early stopping, look at these; `eval_items` are
            then measured before and after only.
        report: What else the card says of the trained model on `eval_items`, such as intervals.
        resume: Go on with an interrupted run of the same settings and items, where there is one.

    Returns:
        `out`.

    Raises:
        ConfigurationError: Settings, data or `out` are not usable.
        MissingResourceError: The encoder cannot be found.
    """
    data = _without_overlap(train_items, eval_items, held_out)
    check(settings, train_items=data.learnt, eval_items=(*eval_items, *held_out), labels=labels)
    names = head_labels(load_pretrained(AutoConfig, settings.model), labels)
    arguments = training_arguments(settings, working_folder(out), n_items=len(data.learnt))
    with _shared_folder(out, _plan(settings, arguments, names, data), resume=resume) as folder:
        saved = last_saved(folder)
        log = TrainingLog(folder, since=None if saved is None else _state(saved)["global_step"])
        if is_main_process():
            say(f"learning from {len(data.learnt):,} items, measuring on {len(eval_items):,}: encoding …")
        sets = {"train": data.learnt, "eval": data.held_out or data.evaluated}
        trainer = build_trainer(
            settings, arguments, names, sets=sets, compute_metrics=compute_metrics, is_new=saved is None
        )
        trainer.add_callback(log)
        try:
            with quiet_transformers():  # its progress bars; the log says what is done
                probs = _run(trainer, log, saved=saved, data=data)
        except LossNotFiniteError:
            forget_states(folder)
            raise
        wall_s = log.wall_s
        if is_main_process():
            log.draw_curves()
            whole = _save(trainer, folder)
            write_card(
                whole,
                settings=settings,
                arguments=arguments,
                labels=names,
                items=data._asdict(),
                events=log.events,
                wall_s=wall_s,
                report=report(eval_items, probs, names) if report else {},
            )
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


def _without_overlap(train_items: Sequence[Item], eval_items: Sequence[Item], held_out: Sequence[Item]) -> _Data:
    held_out = without_overlap(held_out, eval_items) if held_out else ()
    learnt = without_overlap(train_items, (*eval_items, *held_out))
    dropped = len(train_items) - len(learnt)
    if dropped and is_main_process():
        say(f"{dropped} of {len(train_items)} training items are also evaluated and are left out")
    return _Data(learnt, eval_items, held_out, dropped)


def _plan(settings: TrainSettings, arguments: TrainingArguments, labels: Sequence[str], data: _Data) -> JsonObject:
    """Return all that decides the losses: a state is taken up by the same plan only."""
    sets = {"train": data.learnt, "eval": data.evaluated, "held_out": data.held_out}
    return {
        **settings.model_dump(mode="json"),
        "precision": "bf16" if arguments.bf16 else "other",
        "labels": list(labels),
        "devices": devices(),
        "items": {name: fingerprint(items) if items else None for name, items in sets.items()},
    }


@contextmanager
def _shared_folder(out: Path, plan: JsonObject, *, resume: bool) -> Iterator[Path]:
    """Let the first process open the working folder, and the others in once it is there."""
    everyone = PartialState()
    if not is_main_process():
        everyone.wait_for_everyone()
        yield working_folder(out)
        everyone.wait_for_everyone()
        return
    with open_working_folder(out, plan, resume=resume) as folder:
        everyone.wait_for_everyone()
        yield folder
        everyone.wait_for_everyone()


def _run(trainer: ItemTrainer, log: TrainingLog, *, saved: Path | None, data: _Data) -> np.ndarray:
    """Train, and return the probabilities of the model that is kept for the evaluated items, (n, n_classes)."""
    if saved is None and data.held_out:
        _test(trainer, log, data)
    if saved is not None and _state(saved)["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]:
        trainer.take_up(saved)
    else:
        trainer.args.eval_on_start = saved is None
        trainer.train(resume_from_checkpoint=None if saved is None else str(saved))
        if not data.held_out and not trainer.args.load_best_model_at_end:
            return trainer.probs  # the last step was evaluated
    return _test(trainer, log, data)


def _test(trainer: ItemTrainer, log: TrainingLog, data: _Data) -> np.ndarray:
    """Measure the evaluated items, and log it where the evaluations during training were of others, or other models."""
    metrics = trainer.measure(data.evaluated)
    if data.held_out or trainer.args.load_best_model_at_end:
        best = trainer.state.best_global_step
        metrics |= {"test_best_step": best} if best is not None else {}
        log.write("test", metrics, state=trainer.state, prefix="test_")
    return trainer.probs


def _state(saved: Path) -> JsonObject:
    """Return what the Trainer noted of a saved state.

    Raises:
        ConfigurationError: It is damaged, or names another folder's weights as the best.
    """
    state: Any = json.loads((saved / STATE_FILE).read_text(encoding="utf-8"))
    best = state.get("best_model_checkpoint") if isinstance(state, dict) else ""
    if best is not None and Path(str(best)).resolve().parent != saved.resolve().parent:
        raise ConfigurationError(
            f"{saved / STATE_FILE} names '{best}' as the best state, which does not stand beside it; remove "
            f"{saved.parent} and start again"
        )
    return dict(state)


def _save(trainer: Trainer, folder: Path) -> Path:
    """Save the checkpoint without what `Trainer.save_model` adds: a pickle of the arguments, which the card has."""
    whole = folder / WHOLE_FOLDER
    with quiet_transformers():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(whole)
        cast(PreTrainedTokenizerBase, trainer.processing_class).save_pretrained(whole)
    for name in (LOG_FILE, *CURVE_FILES):
        shutil.copy(folder / name, whole)
    return whole


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
