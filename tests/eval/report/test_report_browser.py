"""The report in a real Chromium: the policy lets its style in, nothing else happens, and it is readable in the dark."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from matplotlib.image import imread

from eval.report import write_report
from eval.report.summary import summarize
from tests.support.folders import DATA_FILES
from tests.support.journaled_runs import answer, exam_item, write_demo, write_run
from tests.support.priced_runs import priced_run, toy_prices

pytestmark = pytest.mark.browser
LIGHT_PAGE = (0xFB, 0xFB, 0xFA)
DARK_PAGE = (0x14, 0x17, 0x1B)
SETTLED = "--virtual-time-budget=20000"  # what is unpacked and drawn after the page has loaded is waited for


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
    page.write_text(page.read_text(encoding="utf-8").replace('<details class="fold">', '<details class="fold" open>'))
    for drawn, size in ((page, "1280,3000"), (run / "break-even-1.svg", "760,420")):
        picture, console = pixels(chromium, drawn, tmp_path / "curve.png", size=size)
        assert console == []
        for colour in ((0x25, 0x63, 0xC9), (0xC2, 0x57, 0x0C)):  # the trained line and the prompted one
            assert (picture == colour).all(axis=2).sum() > 100


def test_markup_in_the_data_neither_runs_nor_becomes_elements(chromium, tmp_path):
    attack = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><b id=bold>b</b>"
    items = [exam_item(number).model_copy(update={"inputs": {"passage": attack}}) for number in (1, 2)]
    run = write_run(tmp_path / "run", [("kice", items, {"s": lambda item: answer(item, "s", 0, raw=attack)})])
    page = write_report(run).html.as_uri()
    document, _ = chromium("--dump-dom", SETTLED, f"{page}#items-1?item=kice%2Fmade-up%2Fq01")
    assert "<title>made-up · tune-or-prompt</title>" in document
    assert "<img" not in document
    assert "<b id" not in document
    article = re.search(r"<article.*?</article>", document, re.DOTALL)[0]
    assert article.count("&lt;script&gt;") == 2  # its passage, and the reply


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_each_figure_leads_to_as_many_items_as_it_says(chromium, tmp_path, lang):
    """The links are walked in a copy of the page whose policy lets the walker in."""
    page = write_report(write_demo(tmp_path / "run"), lang=lang).html.read_text(encoding="utf-8")
    walker = (DATA_FILES / "walk_links.js").read_text(encoding="utf-8")
    walked = tmp_path / "walked.html"
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', page)[0]
    walked.write_text(page.replace(policy, "") + f"<script>{walker}</script>", encoding="utf-8")
    document, _ = chromium("--dump-dom", SETTLED, walked.as_uri())
    found = json.loads(unescape(re.search(r'<pre id="walked">(.*?)</pre>', document)[1]))
    assert {re.search(r"\?(\w+)", href)[1] for href, _, _ in found} >= {"is", "why"}
    assert len(found) > 40
    for href, figure, counted in found:
        numbers = re.findall(r"\d+", counted)
        assert numbers[0 if lang == "en" else -1] == figure, href


def opened(chromium, page, query):
    return chromium("--dump-dom", SETTLED, f"{page.as_uri()}#items-{query}")


def test_an_address_opens_an_item_or_sets_the_filter(chromium, tmp_path):
    page = write_report(write_demo(tmp_path / "run")).html
    document, log = opened(chromium, page, "1?item=kice%2Fmade-up%2Fq07")
    assert "CONSOLE" not in log  # the policy lets the script in
    article = re.search(r"<article.*?</article>", document, re.DOTALL)[0]
    for part in ("<h4>kice/made-up/q07</h4>", "윗글의 내용과 일치하지 않는 것은? (7)", "잘 모르겠습니다.", "국어 시험"):
        assert part in article
    document, _ = opened(chromium, page, "1?q=%287%29")
    assert "1 of 20 items" in document and len(re.findall(r'role="option" id="row-1-', document)) == 1
    document, _ = opened(chromium, page, "2?disagree=1&is.tuned=right&is.majority=wrong")
    comparison = next(one for one in summarize(page.parent).evaluations[1].comparisons)
    alone = comparison.lost if comparison.a == "majority" else comparison.won
    assert f"{len(alone)} of 60 items" in document
