"""Draws accuracy against training items, with the accuracies of a run's systems as horizontal lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune.figures import BLUE, GREY, ORANGE, dress_axes, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VIOLET = "#5b21b6"  # of labels that are a teacher's
COLOURS = (ORANGE, "#2f7d4f", "#8a4fb0", "#b3261e", "#00797a", "#7a5c00")  # of chains; a baseline is grey
LABEL_GAP = 0.042  # between two names, as a share of the axes' height
MARGIN = 0.03  # of accuracy, above and below everything drawn


def draw_data_curve(curve: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw a curve, as `curve.json` has it, into `folder/curve.svg` and `curve.png`; return the two paths."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    _draw_names(axes, curve)
    taught = curve.get("taught")
    if taught is not None:
        _draw_points(axes, taught["points"], colour=VIOLET, label=f"labels of {taught['teacher']}, 95 % interval")
    label = "fine-tuned, 95 % interval" if taught is None else "people's labels, 95 % interval"
    _draw_points(axes, curve["points"], colour=BLUE, label=label)
    dress_axes(axes, title="Accuracy by number of training items", x_label="training items (log scale)")
    axes.set_ylabel(f"accuracy on {curve['evaluated']['n']:,} items")
    return save_figure(figure, folder / "curve")


def spread(values: Sequence[float], gap: float, *, low: float, high: float) -> list[float]:
    """Move values apart as little as needed, in all, until neighbours differ by `gap`; in the order given.

    A group that is moved apart stays around its mean, or inside the limits. Where they leave no room for all, the gap
    is what room there is.

    Args:
        values: One or more.
        gap: Between neighbours.
        low: No value is moved below it.
        high: Nor above it.

    Source:
        Barlow et al. 1972, Statistical Inference under Order Restrictions (pool adjacent violators): values less their
        rank times the gap must not fall.
    """
    from scipy.optimize import isotonic_regression

    gap = min(gap, (high - low) / max(1, len(values) - 1))
    order = sorted(range(len(values)), key=values.__getitem__)
    level = isotonic_regression([values[index] - rank * gap for rank, index in enumerate(order)]).x.tolist()
    places = [0.0] * len(values)
    for rank, index in enumerate(order):
        places[index] = min(max(level[rank], low), high - (len(values) - 1) * gap) + rank * gap
    return places


def _draw_points(axes: "Axes", points: Sequence[Mapping[str, Any]], *, colour: str, label: str) -> None:
    sizes, accuracies = [point["n"] for point in points], [point["accuracy"] for point in points]
    spanned = [point for point in points if point["interval"] is not None]
    if spanned:
        lows, highs = zip(*(point["interval"] for point in spanned), strict=True)
        axes.fill_between([point["n"] for point in spanned], lows, highs, color=colour, alpha=0.15, linewidth=0)
        # The lines of an error bar are drawn between its ends, which need not lie on either side of the value.
        axes.vlines([point["n"] for point in spanned], lows, highs, color=colour, linewidth=1)
    for point in points:
        if len(point["seed_accuracies"]) > 1:
            n = len(point["seed_accuracies"])
            axes.plot([point["n"]] * n, point["seed_accuracies"], ".", color=colour, alpha=0.5, markersize=5)
    axes.plot(sizes, accuracies, color=colour, linewidth=1.8, marker="o", markersize=5, label=label)
    axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
    axes.set_xticks([], minor=True)


def _draw_systems(axes: "Axes", systems: Sequence[Mapping[str, Any]]) -> list[tuple[float, str, str]]:
    """Draw a line a system, its interval and the crossing; return (accuracy, name, colour) of each."""
    names, chains = [], 0
    for system in systems:
        is_baseline = system["kind"] == "baseline"
        colour = GREY if is_baseline else COLOURS[chains % len(COLOURS)]
        chains += not is_baseline
        axes.axhline(system["accuracy"], color=colour, linewidth=0.9 if is_baseline else 1.5, linestyle="--")
        if system["interval"] is not None and not is_baseline:
            axes.axhspan(*system["interval"], color=colour, alpha=0.1, linewidth=0)
        if system["matched_at"] is not None:
            at = (system["matched_at"], system["accuracy"])
            axes.plot(*at, marker="o", markersize=8, markerfacecolor="white", markeredgecolor=colour, zorder=4)
        names.append((system["accuracy"], f"{system['name']} {system['accuracy']:.1%}".replace("%", " %"), colour))
    return names


def _draw_names(axes: "Axes", curve: Mapping[str, Any]) -> None:
    """Draw every horizontal line with its name; that of guessing is not called as a baseline is."""
    names, guessing = _draw_systems(axes, curve["systems"]), 1 / len(curve["labels"])
    names.append((guessing, f"guessing {guessing:.1%}".replace("%", " %"), GREY))
    axes.axhline(guessing, color=GREY, linewidth=0.8, linestyle=(0, (1, 4)))
    _set_limits(axes, curve)
    _write_names(axes, names)


def _set_limits(axes: "Axes", curve: Mapping[str, Any]) -> None:
    taught = curve.get("taught") or {"points": []}
    drawn = [*curve["points"], *taught["points"], *curve["systems"]]
    ends = [end for one in drawn for end in one["interval"] or ()]
    ends += [*(one["accuracy"] for one in drawn), 1 / len(curve["labels"])]
    axes.set_ylim(max(0.0, min(ends) - MARGIN), min(1.0, max(ends) + MARGIN))


def _write_names(axes: "Axes", names: Sequence[tuple[float, str, str]]) -> None:
    """Write the lines' names to the right of the axes, apart from each other where the lines are not."""
    bottom, top = axes.get_ylim()
    gap = LABEL_GAP * (top - bottom)
    places = spread([accuracy for accuracy, _, _ in names], gap, low=bottom + gap / 2, high=top - gap / 2)
    for (accuracy, name, colour), place in zip(names, places, strict=True):
        axes.annotate(
            name,
            xy=(1, accuracy),
            xytext=(1.03, place),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(),
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
            # From the middle of the name's left side: from its middle, a steep line would cross other names.
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
