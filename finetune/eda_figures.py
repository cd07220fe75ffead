"""The plots of the look at the data: lengths, labels, and what one text of two gives away."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from finetune.figures import BLUE, GREY, ORANGE, colours, dress_axes, legend_below, save_figure


def draw_eda(figures: Mapping[str, Any], lengths: Mapping[str, list[int]], out: Path) -> None:
    """Draw `lengths`, `labels` and, where it was measured, `single_text` into a folder, as SVG and PNG.

    Args:
        figures: What `finetune.eda.describe` returned.
        lengths: What `finetune.eda.token_lengths` returned.
        out: An existing folder.
    """
    _draw_lengths(lengths, figures["max_length"], out)
    _draw_labels(figures, out)
    if figures["single_text"] and figures["single_text"]["fields"]:
        _draw_single_text(figures["single_text"], out)


def _draw_lengths(lengths: Mapping[str, list[int]], max_length: int, out: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(lengths), 3.6), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(lengths), squeeze=False)[0], lengths.items(), strict=True):
        # Bars of a whole number of tokens each: any other width makes a comb of even and odd counts.
        width = 1 + (max(values) - min(values)) // 60
        axes.hist(values, bins=list(range(min(values), max(values) + width + 1, width)), color=BLUE)
        if max(values) > max_length / 2:  # far below the cut, its line would only squeeze the histogram
            axes.axvline(max_length, color=ORANGE, label=f"max_length {max_length}")
        dress_axes(axes, title=name, x_label="tokens")
        axes.set_ylabel("items")
    save_figure(figure, out / "lengths")


def _draw_labels(figures: Mapping[str, Any], out: Path) -> None:
    from matplotlib.figure import Figure

    groups = {"all": figures} | dict(figures["by_tag"])
    names = list(groups)[::-1]  # the first on top
    figure = Figure(figsize=(8, 1.4 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(names))
    for label, colour in zip(figures["labels"], colours(len(figures["labels"])), strict=True):
        shares = np.array([groups[name]["labels"][label]["share"] for name in names])
        axes.barh(names, shares, left=left, color=colour, label=label)
        left += shares
    dress_axes(axes, title="Labels", x_label="share of items")
    legend_below(figure, axes)
    save_figure(figure, out / "labels")


def _draw_single_text(alone: Mapping[str, Any], out: Path) -> None:
    from matplotlib.figure import Figure

    names = list(alone["fields"])[::-1]  # the first on top
    shares = np.array([alone["fields"][name]["accuracy"] for name in names])
    ends = np.array([alone["fields"][name]["ci95"] for name in names])  # (n_fields, 2)
    figure = Figure(figsize=(8, 1.4 + 0.6 * len(names)), layout="constrained")
    axes = figure.subplots()
    reach = np.maximum([shares - ends[:, 0], ends[:, 1] - shares], 0)
    axes.barh([f"{name} alone" for name in names], shares, xerr=reach, height=0.5, color=BLUE, ecolor=GREY, capsize=4)
    axes.axvline(alone["majority"], color=ORANGE, label=f"commonest label, {100 * alone['majority']:.1f} %")
    for row, share in enumerate(shares):
        axes.annotate(f"{100 * share:.1f} %", (0.01, row), va="center", color="white", fontsize=9)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.6, len(names) - 0.1)
    dress_axes(axes, title="What one text gives away", x_label="accuracy")
    save_figure(figure, out / "single_text")
