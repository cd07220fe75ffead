"""The folder of a data curve: whose it is, and which of its trainings are done.

    plan.json                    what decides every figure but the sizes and the number of seeds
    n-<size>-seed-<seed>/        a training: its card, log and learning curves, and where asked for its weights

A folder of a training is there only when it is whole (`finetune.working_folder`), so it is never trained again.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.errors import ConfigurationError
from data.registry import fingerprint
from data.types import Item
from finetune.card import CARD_FILE
from finetune.config import TrainSettings
from finetune.curves import CURVE_FILES

PLAN_FILE = "plan.json"
KEPT = (CARD_FILE, "README.md", "training_log.jsonl", *CURVE_FILES)


def training_folder(out: Path, size: int, seed: int) -> Path:
    return out / f"n-{size}-seed-{seed}"


def open_curve_folder(out: Path, plan: Mapping[str, Any]) -> None:
    """Make the folder of a curve, or take up the one that a curve with the same plan left.

    Raises:
        ConfigurationError: The folder has something else, or cannot be written.
    """
    file = out / PLAN_FILE
    try:
        if not file.exists():
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise ConfigurationError(f"'{out}' is not empty and has no curve; name another --out, or remove it")
            out.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
            return
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
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
        ConfigurationError: It was.
    """
    parts = (
        ("settings", card["settings"], settings.model_dump(mode="json")),
        ("training items", card["data"]["train"]["fingerprint"], fingerprint(train_items)),
        ("evaluated items", card["data"]["eval"]["fingerprint"], fingerprint(eval_items)),
        ("report", len(card["report"].get("correct", "")), len(eval_items)),
    )
    differing = [name for name, found, wanted in parts if found != wanted]
    if differing:
        raise ConfigurationError(
            f"'{folder}' was trained with other {', '.join(differing)}; remove it, or name another --out"
        )


def remove_weights(folder: Path) -> None:
    """Keep what a training says of itself only: the weights of all sizes would fill a disk."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
