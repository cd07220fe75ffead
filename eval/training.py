"""What the cost model must know of how a checkpoint was trained: read from its card, whoever trained it and when."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def training_facts(checkpoint: Path) -> dict[str, Any] | None:
    """Read the seconds, the machine and the number of training items from a checkpoint's card.

    Args:
        checkpoint: Its folder; a name on the hub has no card.

    Returns:
        wall_s, hardware and n, each None where the card does not say it; None without a card.

    Raises:
        ConfigurationError: The card is damaged.
    """
    from finetune.card import read_card

    card = read_card(checkpoint)
    if card is None:
        return None
    items = (card.get("data") or {}).get("train") or {}
    return {"wall_s": card.get("wall_s"), "hardware": _worked_on(card), "n": items.get("n")}


def _worked_on(card: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the hardware that the training kept busy, which need not be all of one machine or of one alone."""
    hardware = card.get("hardware")
    if not hardware or not hardware.get("gpus"):
        return hardware
    if ((card.get("settings") or {}).get("extra") or {}).get("use_cpu"):
        return {**hardware, "gpus": []}
    # The card is written on one machine; where more devices shared a batch, the others were on machines like it.
    machines = -(-hardware.get("devices", 1) // len(hardware["gpus"]))
    return {**hardware, "gpus": hardware["gpus"] * max(1, machines)}
