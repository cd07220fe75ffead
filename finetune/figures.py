"""What every plot of fine-tuning shares: colours, axes, legends that fit, fonts that have the characters, and files."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.common.terminal import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0b6e99", "#d9730d", "#6b7280"
COLOURS = (BLUE, ORANGE, GREY, "#448361", "#9065b0", "#c14c8a", "#cb912f")
# matplotlib's own font has no Hangul and no Chinese characters; one of these is asked after it, where it is installed.
CJK_FONTS = ("Noto Sans CJK KR", "Noto Sans CJK JP", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")
LEGEND_CHARACTERS = 12  # of a legend, on an inch
LONGEST_NAME = 32  # characters; a longer name of a legend is wrapped


def colours(n: int) -> list[Any]:
    """Return n different colours: the project's own, or, where these are too few, as many from a rainbow."""
    from matplotlib import colormaps

    return list(COLOURS[:n]) if n <= len(COLOURS) else [colormaps["turbo"](place / (n - 1)) for place in range(n)]


def dress_axes(axes: "Axes", *, title: str, x_label: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x_label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(frameon=False, fontsize=9)


def legend_below(figure: "Figure", axes: "Axes") -> None:
    """Put the legend of the axes under them, in as many columns as fit, and make the figure higher by its lines."""
    if (inside := axes.get_legend()) is not None:
        inside.remove()
    handles, names = axes.get_legend_handles_labels()
    wrapped = [textwrap.fill(name, LONGEST_NAME) for name in names]
    widest = max(len(line) for name in wrapped for line in name.splitlines())
    fit = int(LEGEND_CHARACTERS * figure.get_figwidth()) // (widest + 6)  # a name has its colour and a gap beside it
    columns = max(1, min(len(names), fit))
    lines = max(name.count("\n") + 1 for name in wrapped) * -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + 0.18 * lines)
    figure.legend(handles, wrapped, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def save_figure(figure: "Figure", stem: Path) -> list[Path]:
    """Save a figure as `stem.svg` and `stem.png`, the same bytes for the same data; return the two paths.

    Where no installed font has a character of the figure, a line says so: it is drawn as an empty box.
    """
    from matplotlib import rc_context, rcParams
    from matplotlib.font_manager import get_font_names
    from matplotlib.text import Text

    installed = set(get_font_names())
    families = [*rcParams["font.family"], *[name for name in CJK_FONTS if name in installed][:1]]
    texts = figure.findobj(Text)
    for text in texts:
        text.set_fontfamily(families)
    if missing := without_glyph("".join(text.get_text() for text in texts), families):
        shown = "".join(missing[:10])
        say(f"no font here has the characters '{shown}' of {stem.name}.png: install Noto Sans CJK (fonts-noto-cjk)")
    # matplotlib salts the ids in an SVG with a random number and dates it unless told not to.
    with rc_context({"svg.hashsalt": "tune-or-prompt", "font.family": families}):
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(stem.with_suffix(".png"), dpi=130, metadata={"Software": None})
    return [stem.with_suffix(".svg"), stem.with_suffix(".png")]


def without_glyph(text: str, families: Sequence[str]) -> list[str]:
    """Return the characters, each once, that none of the font families can draw."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]
    characters = sorted({character for character in text if not character.isspace()})
    return [one for one in characters if not any(font.get_char_index(ord(one)) for font in fonts)]
