"""The training log: one JSON line an event, and in words on stderr, where the steps are one live line.

It takes the place of the Trainer's own progress callbacks, which print to stdout. A run that goes on from a saved
state drops the lines after it and writes them again, so that the log is that of a run without interruption.
"""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from data.common.errors import ConfigurationError
from data.common.files import replace_file
from data.common.table import fit
from data.common.terminal import STATUS, columns, is_drawable, say
from finetune.arguments import is_main_process
from finetune.training_curves import Event, draw_curves

LOG_FILE = "training_log.jsonl"
# Drawing takes one to three seconds, which a short training would mostly be spent on.
CURVES_EVERY_S = 30.0
LINES_EVERY_S = 10.0  # of steps, where there is no terminal
STEP_FIGURES = ("loss", "learning_rate", "grad_norm")
# The Trainer's own speed figures; ours are taken from `wall_s`.
DROPPED = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time")


class LossNotFiniteError(ConfigurationError):
    """The loss is no number any more: going on from a saved state would end there again."""


class TrainingLog(TrainerCallback):
    """Write every loss and every evaluation to `folder/training_log.jsonl`, and redraw the learning curves at times.

    Attributes:
        events: What has been written: {"event": "step" | "evaluation" | "test", "step", "epoch", "wall_s", …}.
            A "test" is one outside the training loop, where its evaluations are of other items or models.
    """

    def __init__(self, folder: Path, *, since: int | None = None) -> None:
        """Start a log, or go on with the one in `folder` from the optimizer step `since`."""
        self._path = folder / LOG_FILE
        whole = _read_events(self._path) if since is not None and is_main_process() else []
        self.events = [event for event in whole if since is not None and _is_before(event, since)]
        if whole:
            replace_file(self._path, "".join(map(_line, self.events)))
        # What is done again was paid for twice.
        spent = whole[-1]["wall_s"] if whole else 0.0
        self._started = time.perf_counter() - spent
        self._drawn_at = time.monotonic()
        self._shown = -math.inf
        self._first: tuple[float, int] | None = None  # when the first step of this process was written, and which

    @property
    def wall_s(self) -> float:
        """Seconds spent so far, up to the last event before an interruption included."""
        return round(time.perf_counter() - self._started, 3)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        # The Trainer keeps no running mean over an interruption, so a mean never reaches over a saved step.
        control.should_log = control.should_log or control.should_save
        return control

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._draw_at_times()

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
            self.write("evaluation", logs, state=state, prefix="eval_")
        elif "loss" in logs:
            self.write("step", {name: logs[name] for name in STEP_FIGURES if name in logs}, state=state)
            if not math.isfinite(logs["loss"]):
                raise LossNotFiniteError(
                    f"the loss is {logs['loss']} at step {state.global_step}: lower --learning-rate, or use --bf16 off"
                )

    def write(self, event: str, figures: Mapping[str, float], *, state: TrainerState, prefix: str = "") -> None:
        """Write an event with those figures whose names start with `prefix`; only one process of a run does.

        Args:
            event: "step", "evaluation" or "test".
            figures: The figures, by name, as the Trainer gives them.
            state: Says where the run is.
            prefix: What those names start with; it is left out in the log.
        """
        if not is_main_process():
            return
        named = {n.removeprefix(prefix): value for n, value in figures.items() if n.startswith(prefix)}
        shown = {name: float(v) if math.isfinite(v) else None for name, v in named.items() if name not in DROPPED}
        head = {"event": event, "step": state.global_step, "epoch": round(state.epoch or 0.0, 4), "wall_s": self.wall_s}
        self.events.append(head | shown)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(self.events[-1]))
        words = "  ".join(f"{name} {_short(value)}" for name, value in shown.items())
        when = f"initial {event}" if event != "step" and state.global_step == 0 else event
        line = f"{self.wall_s:8.1f}s  step {state.global_step}/{state.max_steps}  {when}  {words}"
        say(line) if event != "step" else self._show(line + self._time_left(state))
        if event != "step":
            self._draw_at_times()

    def _show(self, line: str) -> None:
        """Show how far it is: on one line that is drawn again and again, or, without a terminal, now and then."""
        if is_drawable():
            STATUS.draw(fit(line, columns() - 2).rstrip())
        elif time.monotonic() - self._shown >= LINES_EVERY_S:
            self._shown = time.monotonic()
            say(line)

    def _time_left(self, state: TrainerState) -> str:
        now, step = time.monotonic(), state.global_step
        if self._first is None:
            self._first = now, step
        started, first = self._first
        left = (now - started) / max(step - first, 1) * (state.max_steps - step)
        return f"  {left:.0f} s left" if left >= 1 else ""

    def _draw_at_times(self) -> None:
        """Redraw the learning curves where the last drawing is old, so that a long training can be watched."""
        if time.monotonic() - self._drawn_at >= CURVES_EVERY_S:
            self.draw_curves()

    def draw_curves(self) -> None:
        """Draw the learning curves of all that has been written; only one process of a run does."""
        if is_main_process():
            draw_curves(self.events, self._path.parent)
            self._drawn_at = time.monotonic()


def _is_before(event: Event, step: int) -> bool:
    """Say whether an event came before the state of a step was saved; the last "test" came after every state."""
    return bool(event["step"] <= step and (event["event"] != "test" or event["step"] == 0))


def _read_events(path: Path) -> list[Event]:
    """Read a log up to a line that a kill cut short."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            break
    return events


def _line(event: Event) -> str:
    return json.dumps(event) + "\n"


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
