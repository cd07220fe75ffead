"""The plots of one training: its learning curves, from its training log, and a ROC curve for each label."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.common.parsing import JsonObject
from finetune.figures import BLUE, COLOURS, GREY, ORANGE, colours, dress_axes, legend_below, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Event = JsonObject  # a line of training_log.jsonl
PLOT_FILES = ("curves.svg", "curves.png", "roc.svg", "roc.png")
MEASURED = {"accuracy": "o", "macro_f1": "s", "precision": "^", "recall": "v", "roc_auc": "D"}  # and their markers


def draw_curves(events: Sequence[Event], folder: Path) -> None:
    """Draw the loss, the metrics and the learning rate against optimizer steps: `folder/curves.svg` and `curves.png`.

    Args:
        events: The training log so far, oldest first.
        folder: An existing folder.
    """
    from matplotlib.figure import Figure

    steps = [event for event in events if event["event"] == "step"]
    evaluations = [event for event in events if event["event"] == "evaluation"]
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, measured, rate = figure.subplots(1, 3)
    _line(loss, steps, "loss", color=BLUE, label="training")
    _line(loss, evaluations, "loss", color=ORANGE, label="evaluation", marker="o")
    for colour, (name, marker) in zip(COLOURS, MEASURED.items(), strict=False):
        _line(measured, evaluations, name, color=colour, label=name.replace("_", " "), marker=marker)
    _line(rate, steps, "learning_rate", color=BLUE, label="learning rate")
    measured.set_ylim(0, 1)
    for axes, title in ((loss, "Loss"), (measured, "Evaluation"), (rate, "Learning rate")):
        dress_axes(axes, title=title, x_label="optimizer step")
    save_figure(figure, folder / "curves")


def draw_roc(targets: np.ndarray, probs: np.ndarray, labels: Sequence[str], folder: Path) -> None:
    """Draw a ROC curve for each label against all others, with its area, into `folder/roc.svg` and `roc.png`.

    A label that no item has, or every item, has no curve, and the legend says so.

    Args:
        targets: (n,) places of the labels.
        probs: (n, n_labels), each row sums to 1.
        labels: (n_labels,) names, in the order of the columns.
        folder: An existing folder.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import auc, roc_curve

    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    for column, (label, colour) in enumerate(zip(labels, colours(len(labels)), strict=True)):
        is_label = targets == column
        if is_label.all() or not is_label.any():
            axes.plot(
                [], [], color=colour, label=f"{label}: no curve, {is_label.sum()} of {len(targets)} items have it"
            )
            continue
        false_share, true_share, _ = roc_curve(is_label, probs[:, column])
        area = auc(false_share, true_share)
        axes.plot(false_share, true_share, color=colour, linewidth=1.6, label=f"{label}, area {area:.3f}")
    axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1, label="chance, area 0.5")
    dress_axes(axes, title="ROC curve of each label", x_label="share of the other items that are taken for it")
    axes.set_ylabel("share of its items that are found")
    axes.set_aspect("equal")
    legend_below(figure, axes)
    save_figure(figure, folder / "roc")


def _line(axes: "Axes", events: Sequence[Event], name: str, **style: Any) -> None:
    points = [(event["step"], event[name]) for event in events if event.get(name) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), linewidth=1.6, markersize=4, **style)
