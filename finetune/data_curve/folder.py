"""The folder of a data curve: whose it is, and which of its trainings are done.

    plan.json                    what decides every figure but the sizes and the number of seeds
    n-<size>-seed-<seed>/        a training: its card, log and learning curves, and where asked for its weights
    n-<size>-seed-<seed>-taught/ the same, of a teacher's labels

A folder of a training is there only when it is whole (`finetune.working_folder`), so it is never trained again.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError
from data.common.files import write_json
from data.registry import fingerprint
from data.types import Item
from finetune.card import CARD_FILE
from finetune.config import TrainSettings
from finetune.training_curves import PLOT_FILES

PLAN_FILE = "plan.json"
KEPT = (CARD_FILE, "README.md", "training_log.jsonl", *PLOT_FILES)


def training_folder(out: Path, size: int, seed: int, *, taught: bool = False) -> Path:
    return out / f"n-{size}-seed-{seed}{'-taught' if taught else ''}"


def open_curve_folder(out: Path, plan: Mapping[str, Any]) -> None:
    """Make the folder of a curve, or take up the one that a curve with the same plan left.

    Raises:
        ConfigurationError: The folder has something else, or cannot be written.
    """
    file = out / PLAN_FILE
    try:
        if not file.exists():
            for torn in out.glob(f".{PLAN_FILE}.*tmp"):
                torn.unlink()  # of a program that was killed just before it had a plan
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise ConfigurationError(f"'{out}' is not empty and has no curve; name another --out, or remove it")
            out.mkdir(parents=True, exist_ok=True)
            write_json(file, plan)
            return
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"'{out}' cannot be used: {error}; name another --out, or remove it") from error
    wanted = json.loads(json.dumps(plan))
    differing = [name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]]
    if differing:
        raise ConfigurationError(
            f"'{out}' has a curve with other {', '.join(differing)}; give the same options, or name another --out"
        )


def check_same(
    folder: Path,
    card: Mapping[str, Any],
    *,
    settings: TrainSettings,
    train_items: Sequence[Item],
    eval_items: Sequence[Item],
) -> None:
    """Refuse a training that was done with other settings or items, such as one that was copied into the folder.

    Raises:
        ConfigurationError: It was, or its card does not say it.
    """
    correct = _at(card, "report", "correct")
    parts = (
        ("settings", _at(card, "settings") == settings.model_dump(mode="json")),
        ("training items", _at(card, "data", "train", "fingerprint") == fingerprint(train_items)),
        ("evaluated items", _at(card, "data", "eval", "fingerprint") == fingerprint(eval_items)),
        ("report", isinstance(correct, str) and len(correct) == len(eval_items) and set(correct) <= {"0", "1"}),
        ("steps", _is_amount(card.get("steps"))),
        ("wall_s", _is_amount(card.get("wall_s"))),
    )
    differing = [name for name, same in parts if not same]
    if differing:
        raise ConfigurationError(
            f"'{folder}' was trained with other {', '.join(differing)}, or its card is damaged; remove it, or name "
            "another --out"
        )


def _at(card: Mapping[str, Any], *names: str) -> Any:
    """Return what stands in a card under names within names; None where there is nothing of the kind."""
    found: Any = card
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def remove_weights(folder: Path) -> None:
    """Keep what a training says of itself only: the weights of all sizes would fill a disk."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
