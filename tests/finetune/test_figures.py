"""Plots: enough colours, legends that fit, and no character that silently becomes a box."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from finetune.figures import CJK_FONTS, colours, legend_below, save_figure, without_glyph
from finetune.training_curves import draw_roc


@pytest.mark.parametrize("n", [1, 7, 8, 77])
def test_no_two_labels_share_a_colour(n: int) -> None:
    assert len({str(colour) for colour in colours(n)}) == n


def test_a_legend_of_many_long_names_stays_inside_its_figure() -> None:
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    for place in range(40):
        axes.plot(
            [0, 1], [0, place], label=f"label {place} whose name goes on and on until no line of a legend holds it"
        )
    legend_below(figure, axes)
    figure.draw_without_rendering()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert box.x0 >= 0 and box.x1 <= whole.x1 and box.y0 >= 0
    assert axes.get_window_extent().height > 0.3 * 3 * figure.dpi


def test_characters_that_no_font_has_are_said(tmp_path, capsys) -> None:
    assert without_glyph("a한 \n", ["DejaVu Sans"]) == ["한"]
    figure = Figure()
    figure.subplots().set_title("\U0001f9ff" if set(CJK_FONTS) & set(get_font_names()) else "한")
    save_figure(figure, tmp_path / "plot")
    assert "no font here has the characters" in capsys.readouterr().err


@pytest.mark.skipif(not set(CJK_FONTS) & set(get_font_names()), reason="no font with Hangul is installed")
def test_hangul_is_drawn(tmp_path, capsys) -> None:
    targets, probs = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])
    draw_roc(targets, np.hstack([probs, 0 * probs[:, :1]]), ["환불", "배송", "없음"], tmp_path)
    assert capsys.readouterr().err == ""
    assert (tmp_path / "roc.svg").stat().st_size > 5000
