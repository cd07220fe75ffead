"""The report in a real Chromium: the policy lets its style in, nothing else happens, and it is readable in the dark."""

from pathlib import Path

import pytest
from matplotlib.image import imread

from eval.report import write_report
from tests.support.journaled_runs import answer, exam_item, write_demo, write_run
from tests.support.priced_runs import priced_run, toy_prices

pytestmark = pytest.mark.browser
LIGHT_PAGE = (0xFB, 0xFB, 0xFA)
DARK_PAGE = (0x14, 0x17, 0x1B)


def pixels(chromium, page: Path, picture: Path, *, size: str, dark: bool = False):
    """The page as (height, width, 3) bytes, and what the console said."""
    scheme = "--blink-settings=preferredColorScheme=" + ("0" if dark else "1")
    _, log = chromium(scheme, f"--window-size={size}", f"--screenshot={picture}", page.as_uri())
    return (imread(picture)[:, :, :3] * 255).round().astype(int), [
        line for line in log.splitlines() if "CONSOLE" in line
    ]


@pytest.mark.parametrize(("size", "dark", "colour"), [("1280,1600", False, LIGHT_PAGE), ("500,1600", True, DARK_PAGE)])
def test_the_report_opens_with_its_style_and_without_a_complaint(chromium, tmp_path, size, dark, colour):
    page = write_report(write_demo(tmp_path / "run")).html
    picture, console = pixels(chromium, page, tmp_path / "page.png", size=size, dark=dark)
    assert console == []
    assert tuple(picture[2, 2]) == colour  # the style sheet's hash is the one that the policy names
    assert len({tuple(pixel) for pixel in picture[::7, ::7].reshape(-1, 3)}) > 20


def test_the_break_even_curve_is_drawn_in_its_colours(chromium, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))
    run = priced_run(tmp_path / "run")
    page = write_report(run).html
    for drawn, size in ((page, "1280,3000"), (run / "break-even-1.svg", "760,420")):
        picture, console = pixels(chromium, drawn, tmp_path / "curve.png", size=size)
        assert console == []
        for colour in ((0x25, 0x63, 0xC9), (0xC2, 0x57, 0x0C)):  # the trained line and the prompted one
            assert (picture == colour).all(axis=2).sum() > 100


def test_markup_in_the_data_neither_runs_nor_becomes_elements(chromium, tmp_path):
    attack = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><b id=bold>b</b>"
    items = [exam_item(number).model_copy(update={"inputs": {"passage": attack}}) for number in (1, 2)]
    run = write_run(tmp_path / "run", [("kice", items, {"s": lambda item: answer(item, "s", 0, raw=attack)})])
    document, _ = chromium("--dump-dom", write_report(run).html.as_uri())
    assert "<title>made-up · tune-or-prompt</title>" in document
    assert "<img" not in document
    assert "<b id" not in document
    assert document.count("&lt;script&gt;") == 4
