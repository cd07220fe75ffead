"""The training settings as `transformers.TrainingArguments`, refused in one line where they cannot work.

transformers checks few of its own fields: a text for a number, or a schedule without the number it needs, would end
in a traceback after the encoder is loaded and, in a suite, after the run has begun.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from transformers import Trainer, TrainingArguments, get_scheduler

from data.common.errors import ConfigurationError, first_fault
from data.common.parsing import JsonObject
from data.common.text import one_line
from finetune.config import TrainSettings, declared_settings, use_bf16

# Counts that transformers takes as they are, and divides by.
AT_LEAST_ONE = ("eval_accumulation_steps", "dataloader_prefetch_factor")
LEFT_OUT = ("output_dir", "logging_dir", "resume_from_checkpoint", "local_rank")  # of what a card says
SAMPLING = ("group_by_length", "random")
# What transformers raises for a value or a missing optional package that it notices.
REFUSALS = (TypeError, ValueError, KeyError, ImportError, AttributeError, ZeroDivisionError)


def training_arguments(settings: TrainSettings, folder: Path, *, n_items: int) -> TrainingArguments:
    """Build the Trainer's arguments and try the optimizer and the schedule they name.

    Args:
        settings: What was asked for.
        folder: Where the Trainer may write; it is not made here.
        n_items: Training items, which decide how many steps an epoch has.

    Raises:
        ConfigurationError: An extra argument is unknown, of the wrong type, or unusable.
    """
    _check_extra(settings.extra)
    try:
        arguments = TrainingArguments(**(_own_arguments(settings, folder, n_items) | settings.extra))
        _try_schedule(arguments)
    except REFUSALS as error:
        raise ConfigurationError(f"transformers refuses these training arguments: {one_line(error)}") from error
    return arguments


def _own_arguments(settings: TrainSettings, folder: Path, n_items: int) -> JsonObject:
    per_device = _per_device(settings)
    # Never by epoch: an epoch's end comes after the state of its last step is saved, and would be missed on resuming.
    eval_steps = settings.eval_steps or math.ceil(n_items / settings.batch_size)
    own = {one.decides[0]: getattr(settings, name) for name, one in declared_settings().items() if one.decides}
    return own | {
        "output_dir": str(folder),
        "per_device_train_batch_size": per_device,
        "per_device_eval_batch_size": settings.batch_size,
        "use_cpu": not torch.accelerator.is_available(),
        "bf16": use_bf16(settings.bf16),
        "train_sampling_strategy": "group_by_length",
        "eval_on_start": True,
        "eval_strategy": "steps",
        "eval_steps": eval_steps,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # a loss that is not a number is said, not smoothed away
        "save_strategy": "steps",
        "save_steps": eval_steps if settings.patience else settings.save_steps,
        "save_total_limit": 2 if settings.patience else 1,  # the best, and the last to go on from
        "load_best_model_at_end": bool(settings.patience),
        **({"metric_for_best_model": "accuracy"} if settings.patience else {}),
        "restore_callback_states_from_checkpoint": True,
        "ddp_find_unused_parameters": False,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def effective_arguments(arguments: TrainingArguments) -> JsonObject:
    """Return all training arguments as they were used, as JSON; without places of this machine and the hub's keys."""
    values = json.loads(json.dumps(arguments.to_dict(), default=str))
    return {name: value for name, value in values.items() if name not in LEFT_OUT and not name.startswith("hub_")}


def devices() -> int:
    """Return how many devices share a batch: processes as torchrun or accelerate started them, else the GPUs here."""
    processes = os.environ.get("WORLD_SIZE")
    return int(processes) if processes else max(1, torch.cuda.device_count())


def machines() -> int:
    """Return how many machines torchrun or accelerate started processes on."""
    return max(1, devices() // int(os.environ.get("LOCAL_WORLD_SIZE") or devices()))


def is_main_process() -> bool:
    """Say whether this is the process that writes, of those that torchrun or accelerate started."""
    return os.environ.get("RANK", "0") == "0"


def _per_device(settings: TrainSettings) -> int:
    """Return the items of one forward pass; the devices and the accumulation steps divide a batch among them."""
    parts = devices() * settings.gradient_accumulation_steps
    if settings.batch_size % parts:
        raise ConfigurationError(
            f"a batch of {settings.batch_size} cannot be divided among {devices()} devices in "
            f"{settings.gradient_accumulation_steps} accumulation steps; use a --batch-size that {parts} divides"
        )
    return settings.batch_size // parts


def _check_extra(extra: Mapping[str, Any]) -> None:
    known = {field.name for field in fields(TrainingArguments) if field.init}
    types = get_type_hints(TrainingArguments)
    for name, value in extra.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            guess = f"; did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(f"--set {name}: transformers.TrainingArguments has no such field{guess}")
        try:
            TypeAdapter(types[name], config=ConfigDict(allow_inf_nan=False)).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigurationError(f"--set {name}={value!r}: {first_fault(error).message}") from error
        if name == "train_sampling_strategy" and value not in SAMPLING:
            raise ConfigurationError(f"--set {name}={value}: it must be one of {', '.join(SAMPLING)}")
        if name in AT_LEAST_ONE and value is not None and value < 1:
            raise ConfigurationError(f"--set {name}={value}: it must be 1 or more")


def _try_schedule(arguments: TrainingArguments) -> None:
    """Make the optimizer and the schedule of one weight: the Trainer makes them after the first pass."""
    model = torch.nn.Linear(1, 1)
    optimizer_class, options = Trainer.get_optimizer_cls_and_kwargs(arguments, model)  # type: ignore[arg-type]
    optimizer = optimizer_class(model.parameters(), **options)
    numbers = arguments.lr_scheduler_kwargs
    if isinstance(numbers, str):
        raise ConfigurationError(f"--set lr_scheduler_kwargs={numbers!r}: it takes a JSON object")
    get_scheduler(
        arguments.lr_scheduler_type,
        optimizer,
        num_warmup_steps=1,
        num_training_steps=2,
        scheduler_specific_kwargs=numbers,
    )
