"""What a checkpoint says about itself: `training_card.json` for programs, `README.md` for people.

The cost model reads the seconds and the hardware from the card; the classifier reads the text fields and the length.
"""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.files import replace_file, write_json
from data.common.hardware import hardware
from data.common.hub import cached_folder
from data.common.parsing import JsonObject, parse_json
from data.common.text import one_line
from data.registry import fingerprint
from data.types import Item
from finetune.card_page import card_page
from finetune.conclusion import conclude
from finetune.config import DEFAULT_TEXT_FIELDS, TrainSettings
from finetune.encoders import resolve
from finetune.teacher import Taught
from finetune.training_curves import Event

if TYPE_CHECKING:
    from transformers import TrainingArguments

CARD_FILE = "training_card.json"
SCHEMA_VERSION = 1
VERSIONED = ("tune-or-prompt", "torch", "transformers", "tokenizers", "accelerate", "numpy")
NOT_METRICS = ("event", "step", "best_step", "epoch", "wall_s")


class _Reading(BaseModel):
    """The part of a card that decides how the checkpoint reads an item."""

    model_config = ConfigDict(strict=True)

    text_fields: list[str] = Field(default=list(DEFAULT_TEXT_FIELDS), min_length=1, max_length=2)
    max_length: int = Field(default=4, ge=4)


def write_card(
    folder: Path,
    *,
    settings: TrainSettings,
    arguments: "TrainingArguments",
    labels: Sequence[str],
    items: Mapping[str, Any],
    events: Sequence[Event],
    wall_s: float,
    report: Mapping[str, Any],
    teacher: Taught | None = None,
) -> None:
    """Write the card and the README of a finished training run.

    Args:
        folder: The checkpoint.
        settings: As asked for.
        arguments: As run, overrides included.
        labels: The names of the model's output columns.
        items: "learnt", "evaluated" and "held_out" items, and how many were "left_out" of the first because they are
            among the others.
        events: The whole training log.
        wall_s: Seconds of training and its evaluations.
        report: What else is known of the trained model on the evaluated items; under this name in the card.
        teacher: Whose answers are the labels, where they are not the items' own.
    """
    import torch  # which reading a card does without

    from finetune.arguments import devices, effective_arguments, machines

    held_out = {"held_out": _describe_items(items["held_out"])} if items["held_out"] else {}
    train_items = _describe_items(items["learnt"]) | {"left_out": items["left_out"]}
    card = {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **_asked_for(settings),
        "labels": list(labels),
        "precision": "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "fp32",
        "data": {"train": train_items, "eval": _describe_items(items["evaluated"]), **held_out},
        **({"labels_from": teacher.as_json()} if teacher else {}),
        **_outcome(events),
        "report": dict(report),
        "wall_s": wall_s,
        "hardware": hardware() | {"threads": torch.get_num_threads(), "devices": devices(), "machines": machines()},
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in VERSIONED},
    }
    card |= {"training_arguments": effective_arguments(arguments), "conclusion": conclude(card, events)}
    write_json(folder / CARD_FILE, card)
    replace_file(folder / "README.md", card_page(card))


def read_card(folder: Path) -> JsonObject | None:
    """Return a checkpoint's card; None for one that was trained elsewhere.

    Raises:
        ConfigurationError: The card is there but is no JSON object of a version this program reads.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        return None
    try:
        card = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {one_line(error)}; train the checkpoint again or remove the file") from error
    if not isinstance(card, dict) or card.get("schema_version") != SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} is not a training card of version {SCHEMA_VERSION}; train the checkpoint again"
        )
    try:
        _Reading.model_validate(card)
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(
            f"{path}: '{fault.place}' = {fault.value!r}: {fault.message}; train the checkpoint again or remove the file"
        ) from error
    return card


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _asked_for(settings: TrainSettings) -> JsonObject:
    asked = settings.model_dump(mode="json")
    reading = {name: asked[name] for name in ("text_fields", "max_length")}
    return {"base_model": settings.model, **_base_commit(settings.model), **reading, "settings": asked}


def _base_commit(model: str) -> JsonObject:
    """Return the commit of an encoder that came from the hub; nothing for another."""
    source = resolve(model)
    folder = cached_folder(source) if isinstance(source, str) else None
    return {} if folder is None else {"base_commit": folder.name}


def _describe_items(items: Sequence[Item]) -> JsonObject:
    return {"n": len(items), "fingerprint": fingerprint(items), "first": items[0].id, "last": items[-1].id}


def _outcome(events: Sequence[Event]) -> JsonObject:
    """Return the steps made, the one whose model was kept, and the first and last figures of the evaluated items."""
    evaluations = [event for event in events if event["event"] == "evaluation"]
    tests = [event for event in events if event["event"] == "test"]
    initial = tests[0] if tests and tests[0]["step"] == 0 else evaluations[0]
    final = (tests or evaluations)[-1]
    steps = {"steps": events[-1]["step"], "best_step": final.get("best_step")}
    return steps | {"metrics": {"initial": _metrics(initial), "final": _metrics(final)}}


def _metrics(evaluation: Event) -> dict[str, float | None]:
    return {name: value for name, value in evaluation.items() if name not in NOT_METRICS}
