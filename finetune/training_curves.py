"""Learning curves of one training run, drawn from its training log."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.common.parsing import JsonObject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Event = JsonObject  # a line of training_log.jsonl
CURVE_FILES = ("curves.svg", "curves.png")
BLUE, ORANGE, GREY = "#0b6e99", "#d9730d", "#6b7280"


def draw_curves(events: Sequence[Event], folder: Path) -> None:
    """Draw loss, accuracy and learning rate against optimizer steps into `folder/curves.svg` and `curves.png`.

    Args:
        events: The training log so far, oldest first.
        folder: An existing folder.
    """
    from matplotlib.figure import Figure

    steps = [event for event in events if event["event"] == "step"]
    evaluations = [event for event in events if event["event"] == "evaluation"]
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, accuracy, rate = figure.subplots(1, 3)
    _line(loss, steps, "loss", color=BLUE, label="training")
    _line(loss, evaluations, "loss", color=ORANGE, label="evaluation", marker="o")
    _line(accuracy, evaluations, "accuracy", color=ORANGE, label="accuracy", marker="o")
    _line(accuracy, evaluations, "macro_f1", color=GREY, label="macro F1", marker="s")
    _line(rate, steps, "learning_rate", color=BLUE, label="learning rate")
    accuracy.set_ylim(0, 1)
    for axes, title in ((loss, "Loss"), (accuracy, "Evaluation"), (rate, "Learning rate")):
        dress_axes(axes, title=title, x_label="optimizer step")
    save_figure(figure, folder / "curves")


def save_figure(figure: "Figure", stem: Path) -> list[Path]:
    """Save a figure as `stem.svg` and `stem.png`, the same bytes for the same data; return the two paths."""
    from matplotlib import rc_context

    # matplotlib salts the ids in an SVG with a random number and dates it unless told not to.
    with rc_context({"svg.hashsalt": "tune-or-prompt"}):
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(stem.with_suffix(".png"), dpi=130, metadata={"Software": None})
    return [stem.with_suffix(".svg"), stem.with_suffix(".png")]


def _line(axes: "Axes", events: Sequence[Event], name: str, **style: Any) -> None:
    points = [(event["step"], event[name]) for event in events if event.get(name) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), linewidth=1.6, markersize=4, **style)


def dress_axes(axes: "Axes", *, title: str, x_label: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x_label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False, fontsize=9)
