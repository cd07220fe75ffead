"""Fine-tune an encoder on labelled items with the Hugging Face Trainer, and leave a checkpoint that explains itself.

    items → token ids → Trainer (length-grouped batches, dynamic padding, bf16 where the hardware has it)
          → model + tokenizer + training_log.jsonl + curves and roc (svg, png) + training_card.json + README.md

All that can be wrong with settings and data is said before the first step. A run that was cut off goes on from its
last saved state as if nothing had happened (`finetune.working_folder`). Under torchrun or accelerate every process
calls `train`; the first one alone writes.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from finetune.check import check
from finetune.config import TrainSettings
from finetune.encoders import load_pretrained
from finetune.heads import head_labels
from finetune.teacher import Taught, probs_sha256
from finetune.trainer import ComputeMetrics, ItemTrainer, build_trainer
from finetune.training_curves import PLOT_FILES, draw_roc
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
    teacher: Taught | None = None,
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
        teacher: Where the labels of `train_items` are another system's answers, these.
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
    teacher = teacher and teacher.of(data.learnt)
    with _shared_folder(out, _plan(settings, arguments, names, data, teacher), resume=resume) as folder:
        saved = last_saved(folder)
        log = TrainingLog(folder, since=None if saved is None else _state(saved)["global_step"])
        if is_main_process():
            say(f"learning from {len(data.learnt):,} items, measuring on {len(eval_items):,}: encoding …")
        sets = {"train": data.learnt, "eval": data.held_out or data.evaluated}
        more = {"probs": teacher.probs} if teacher else {}
        trainer = build_trainer(
            settings, arguments, names, sets=sets, compute_metrics=compute_metrics, is_new=saved is None, **more
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
            draw_roc(np.array(label_ids(eval_items, names)), probs, names, folder)
            whole = _save(trainer, folder)
            write_card(
                whole,
                settings=settings,
                arguments=arguments,
                labels=names,
                items=data._asdict(),
                teacher=teacher,
                events=log.events,
                wall_s=wall_s,
                report=report(eval_items, probs, names) if report else {},
            )
    return out


def _without_overlap(train_items: Sequence[Item], eval_items: Sequence[Item], held_out: Sequence[Item]) -> _Data:
    held_out = without_overlap(held_out, eval_items) if held_out else ()
    learnt = without_overlap(train_items, (*eval_items, *held_out))
    dropped = len(train_items) - len(learnt)
    if dropped and is_main_process():
        say(f"{dropped} of {len(train_items)} training items are also evaluated and are left out")
    return _Data(learnt, eval_items, held_out, dropped)


def _plan(
    settings: TrainSettings,
    arguments: TrainingArguments,
    labels: Sequence[str],
    data: _Data,
    teacher: Taught | None,
) -> JsonObject:
    """Return all that decides the losses: a state is taken up by the same plan only."""
    sets = {"train": data.learnt, "eval": data.evaluated, "held_out": data.held_out}
    sha256 = probs_sha256(data.learnt, teacher.probs) if teacher else None
    return {
        **settings.model_dump(mode="json"),
        "precision": "bf16" if arguments.bf16 else "other",
        "labels": list(labels),
        "devices": devices(),
        "items": {name: fingerprint(items) if items else None for name, items in sets.items()},
        **({"the teacher's probabilities": sha256} if sha256 else {}),
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
    for name in (LOG_FILE, *PLOT_FILES):
        shutil.copy(folder / name, whole)
    return whole
