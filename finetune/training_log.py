"""The training log: one JSON line an event, written while the run goes on, and the same in words on stderr.

It takes the place of the Trainer's own progress callbacks, which print to stdout.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from data.errors import ConfigurationError
from finetune.curves import draw_curves

LOG_FILE = "training_log.jsonl"
# The Trainer's own speed figures; ours are taken from `wall_s`.
DROPPED = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")


class TrainingLog(TrainerCallback):
    """Write every loss and every evaluation to `folder/training_log.jsonl`, and redraw the learning curves.

    Attributes:
        events: What has been written: {"event": "step" | "evaluation", "step", "epoch", "wall_s", …}.
    """

    def __init__(self, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._folder = folder
        self._started = time.perf_counter()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        logs = logs or {}
        if "eval_loss" in logs:
            figures = {name.removeprefix("eval_"): value for name, value in logs.items() if name.startswith("eval_")}
            self._write(state, "evaluation", {name: v for name, v in figures.items() if name not in DROPPED})
            draw_curves(self.events, self._folder)
        elif "loss" in logs:
            figures = {name: logs[name] for name in ("loss", "learning_rate", "grad_norm") if name in logs}
            self._write(state, "step", figures)
            if not math.isfinite(logs["loss"]):
                raise ConfigurationError(
                    f"the loss is {logs['loss']} at step {state.global_step}: lower --learning-rate, or use --bf16 off"
                )

    def _write(self, state: TrainerState, event: str, figures: dict[str, float]) -> None:
        wall_s = round(time.perf_counter() - self._started, 3)
        head = {"event": event, "step": state.global_step, "epoch": round(state.epoch or 0.0, 4), "wall_s": wall_s}
        row: dict[str, Any] = head | {name: float(v) if math.isfinite(v) else None for name, v in figures.items()}
        self.events.append(row)
        with (self._folder / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        shown = "  ".join(f"{name} {_short(row[name])}" for name in figures)
        when = "initial evaluation" if event == "evaluation" and state.global_step == 0 else event
        sys.stderr.write(f"{wall_s:8.1f}s  step {state.global_step}/{state.max_steps}  {when}  {shown}\n")


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
