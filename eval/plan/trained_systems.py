"""Encoders as systems of a run: a checkpoint that was trained before, or one that is trained as part of the run.

An entry and what its evaluation shares in, a `System` out. Training waits until the run opens the system.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.card import is_task
from data.common.errors import ConfigurationError
from data.types import Item
from eval.measures.training_costs import training_facts
from eval.plan.chain_predictor import Predictor
from eval.plan.context import Context
from eval.plan.settings.specs import SystemSpec
from eval.plan.system import LOCAL_BATCH, System, learnt_from
from eval.rundir.description import SystemDescription

if TYPE_CHECKING:
    from finetune.config import TrainSettings
    from finetune.teacher import Taught


def checkpoint_system(spec: SystemSpec, context: Context) -> System:
    """Build a system of an encoder that was trained before.

    Raises:
        ConfigurationError: The checkpoint is damaged, or for other labels.
        MissingResourceError: It is not there.
    """
    from finetune.classifier import checkpoint_folder, load_classifier

    name, labels = str(spec.checkpoint), class_labels(context)
    predictor = load_classifier(name, labels=labels)
    folder = checkpoint_folder(name)
    training = training_facts(folder)
    trained: dict[str, Any] = {} if training is None else {"training": training}
    sha256 = _checkpoint_sha256(folder)
    description = SystemDescription(kind="checkpoint", checkpoint=name, checkpoint_sha256=sha256, **trained)
    return System(spec.name, description, LOCAL_BATCH, lambda _: predictor, checked_labels(spec, labels))


def checked_labels(spec: SystemSpec, labels: Sequence[str]) -> tuple[str, ...] | None:
    return None if spec.any_label_order else tuple(labels)


def _checkpoint_sha256(folder: Path) -> str | None:
    """Identify a checkpoint's folder by its weights and its configuration, which names the labels.

    Returns:
        None where it has neither.
    """
    files = [*sorted(folder.glob("*.safetensors")), *folder.glob("config.json")]
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if files else None


def finetune_system(spec: SystemSpec, context: Context) -> System:
    """Build a system of an encoder that the run trains; all that can be wrong with it is found now.

    Raises:
        ConfigurationError: A setting or the items cannot be used.
        MissingResourceError: The encoder is not there.
    """
    from data.splits import hold_out
    from finetune.check import check

    labels, settings = class_labels(context), encoder_settings(spec, context)
    learnt, held_out = hold_out(context.train_items(), seed=settings.seed)
    check(settings, train_items=learnt, eval_items=held_out, labels=labels)
    description = SystemDescription(
        kind="finetune", finetune=settings.model_dump(mode="json"), held_out=len(held_out), **learnt_from(learnt)
    )
    open_trained = partial(train_and_load, settings, learnt, held_out, labels)
    return System(spec.name, description, LOCAL_BATCH, open_trained, checked_labels(spec, labels))


def encoder_settings(spec: SystemSpec, context: Context) -> "TrainSettings":
    """Return the settings that an entry's encoder is trained with.

    Raises:
        ConfigurationError: One cannot be used.
    """
    from finetune.config import make_settings

    said = spec.finetune or {}
    return make_settings({"seed": context.seed, **_texts_read(context, said), **said})


def _texts_read(context: Context, said: dict[str, Any]) -> dict[str, Any]:
    """Return the texts that an encoder reads of a task of the user's own, whatever they are called."""
    if "text_fields" in said or not is_task(context.spec.benchmark):
        return {}
    from finetune.features import fields_of

    return {"text_fields": fields_of(context.items)}


def train_and_load(
    settings: "TrainSettings",
    train_items: Sequence[Item],
    held_out: Sequence[Item],
    labels: Sequence[str],
    folder: Path,
    *,
    teacher: "Taught | None" = None,
) -> Predictor:
    """Train into the run's folder, going on where an interrupted run stopped; a finished checkpoint is taken."""
    from eval.measures.metrics import classification_metrics
    from finetune.classifier import load_classifier
    from finetune.train import train
    from finetune.working_folder import working_folder

    checkpoint = folder / "checkpoint"
    if not checkpoint.is_dir():
        train(
            settings,
            train_items=train_items,
            eval_items=held_out,  # seen during training for its curves only, never for its scores
            labels=labels,
            compute_metrics=classification_metrics,
            out=checkpoint,
            teacher=teacher,
            resume=working_folder(checkpoint).is_dir(),
        )
    predictor: Predictor = load_classifier(checkpoint, labels=labels)
    return predictor


def class_labels(context: Context) -> Sequence[str]:
    if context.benchmark.labels is None:
        raise ConfigurationError(
            f"{context.benchmark.name} has choices of its own for each item; a classifier needs fixed labels (mnli)"
        )
    return context.benchmark.labels
