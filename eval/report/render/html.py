"""A report as one HTML page that asks nothing of the network and runs no script but its own.

A summary and the run in, one file out. Jinja escapes everything that comes from data, and the items stand in compressed
blocks, which the script puts on the page as text alone. The page's content policy lets in only the one style sheet and
the one script, each by its hash, so that even a hole in the escaping could load or run nothing.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.common.language import Language, language
from eval.measures.prices import price_table
from eval.measures.run_answers import RunAnswers
from eval.measures.system_costs import price_systems
from eval.report.links import linked_parts
from eval.report.render.item_words import words_of_items
from eval.report.render.items import FULL, item_blocks
from eval.report.sections.all_sections import evaluation_tables
from eval.report.sections.calibration import reliability_diagram
from eval.report.sections.cascade_chart import frontier_drawing
from eval.report.sections.cost_curve import cost_drawing
from eval.report.sections.price_chart import price_chart
from eval.report.sections.provenance import provenance_table
from eval.report.sections.scores import accuracy_text, points_text
from eval.report.summary import Summary
from eval.report.templates import template

HERE = Path(__file__).parent
SCRIPTS = ("items.js", "item_detail.js")
HEAT_STEPS = 9
SUPPORTING = 4  # sentences beside the verdict; the others are folded


def render_html(summary: Summary, run: RunAnswers, *, texts: bool = True) -> str:
    """Draw the page.

    Args:
        summary: The summary of the run.
        run: The run itself, for the items.
        texts: Whether the items' texts and all that was sent and said stand in the page.

    Returns:
        A whole HTML document.
    """
    from markupsafe import Markup

    style = (HERE / "report.css").read_text(encoding="utf-8") + (HERE / "items.css").read_text(encoding="utf-8")
    script = "".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    say = language(summary.lang)
    words = json.dumps(words_of_items(say), ensure_ascii=False).replace("<", "\\u003c")
    return template("report.html.j2").render(
        summary=summary,
        sections=list(_sections(summary, run, say, texts=texts)),
        provenance=provenance_table(summary, say),
        say=say,
        style=Markup(style),  # noqa: S704 - the project's own file, not data
        style_hash=_digest(style),
        script=Markup(script),  # noqa: S704 - likewise
        script_hash=_digest(script),
        words=Markup(words),  # noqa: S704 - the project's own words
        accuracy_text=accuracy_text,
        points_text=points_text,
        linked_parts=linked_parts,
        heat=_heat,
        part_counts=lambda counts: ", ".join(f"{name} {n:,}" for name, n in counts.items()),
    )


def _sections(summary: Summary, run: RunAnswers, say: Language, *, texts: bool) -> Iterator[dict[str, Any]]:
    """Yield what the page shows of each benchmark."""
    room, manifest = FULL // max(len(summary.evaluations), 1), run.manifest
    for number, evaluation in summary.most_decisive_first:
        answers = run.evaluations[number - 1]
        table, systems = price_table(), manifest.systems
        priced = price_systems(answers, systems, run.run_dir, hardware=manifest.hardware, table=table)
        usd = {name: one.usd for name, one in priced.items()}
        items = item_blocks(run.run_dir, evaluation, answers, usd=usd, texts=texts, room=room)
        yield {
            "number": number,
            "evaluation": evaluation,
            "supporting": evaluation.verdict_sentences[1 : 1 + SUPPORTING],
            "further": (*evaluation.verdict_sentences[1 + SUPPORTING :], *evaluation.conclusion),
            "price_chart": price_chart(evaluation, say),
            "tables": evaluation_tables(evaluation, say),
            "curve": cost_drawing(evaluation, say),
            "frontier": frontier_drawing(evaluation, say),
            "reliability": reliability_diagram(evaluation, say),
            "systems": list(answers),
            "blocks": items,
            "choice_names": items.names or [f"{place}" for place in range(1, items.n_choices + 1)],
        }


def _digest(text: str) -> str:
    """Return a text's SHA-256 as a content policy names it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _heat(count: int, row: Sequence[int]) -> int:
    """Return the shade of a confusion matrix's cell: its share of its row, in steps from 0."""
    return round(HEAT_STEPS * count / max(sum(row), 1))
