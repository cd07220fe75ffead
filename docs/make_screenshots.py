"""Draws the screenshots of README: `python docs/make_screenshots.py RUN`, with Playwright and a Chromium installed.

A run in, the first screen of its report out as docs/images/report.png, and in Korean as report-ko.png. They are of
`python -m eval decide banking77-sample --minutes 1 --yes --out runs/decide`.
"""

import sys
import tempfile
from pathlib import Path

from eval.measures.run_answers import read_answers
from eval.report.render.html import render_html
from eval.report.summary import summarize_answers

IMAGES = Path(__file__).parent / "images"
FILES = {"en": "report.png", "ko": "report-ko.png"}
WIDTH, HEIGHT = 1000, 900  # pixels


def main(run_dir: Path) -> None:
    """Write an image for each language."""
    from playwright.sync_api import sync_playwright

    run = read_answers(run_dir)
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium")
        for lang, name in FILES.items():
            page = Path(folder) / f"{lang}.html"
            page.write_text(render_html(summarize_answers(run, lang=lang), run, texts=False), encoding="utf-8")
            tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
            tab.goto(page.as_uri())
            tab.screenshot(path=IMAGES / name)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
