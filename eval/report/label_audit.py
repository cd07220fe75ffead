"""What `eval audit` shows of a label audit: a text for the terminal, rows for a spreadsheet, and JSON.

The rows of a labelled file and their audit in, the three forms out, the most doubtful row first in each.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data.common.language import Language
from data.common.parsing import JsonObject
from data.task import LabelledRow
from eval.plan.label_audit import LabelAudit
from eval.report.figures import ends, percent
from eval.report.render.terminal import draw, wrap
from eval.report.section import Table

PAIRS = 10  # that are shown
_TEXT_LETTERS = 60


class AuditedFile(NamedTuple):
    """A labelled file with its audit.

    Attributes:
        name: The task's name.
        rows: (n,) as they stand in the file.
        audit: The audit of their items.
        csv: Where every row is written.
    """

    name: str
    rows: Sequence[LabelledRow]
    audit: LabelAudit
    csv: Path


def audit_text(file: AuditedFile, *, top: int, say: Language) -> str:
    """Say how many labels are doubtful and wrong, and show the most doubtful rows and pairs of labels.

    Args:
        file: What was audited.
        top: How many rows are shown.
        say: The language.
    """
    parts = ["\n".join(wrap(sentence) for sentence in _sentences(file, say))]
    if file.audit.doubtful.any():
        parts += [draw(_rows_table(file, top, say)), draw(_pairs_table(file.audit, say))]
    return "\n\n".join(parts)


def _sentences(file: AuditedFile, say: Language) -> list[str]:
    audit = file.audit
    said = [
        say(
            "{name}: {doubtful} of {n} labels are doubtful. About {wrong} of all labels are estimated to be wrong "
            "(95% interval {interval}), if what was learnt from the other rows is right where it is sure.",
            name=file.name,
            doubtful=f"{int(audit.doubtful.sum()):,}",
            n=f"{audit.n_judged:,}",
            wrong=percent(audit.wrong),
            interval=ends(audit.interval, say),
        )
    ]
    if unjudged := len(audit.items) - audit.n_judged:
        said.append(
            say.count(
                unjudged,
                "{n} row was not judged: its label is carried by no other text.",
                "{n} rows were not judged: their labels are carried by no other text.",
            )
        )
    return said


def _rows_table(file: AuditedFile, top: int, say: Language) -> Table:
    audit, names = file.audit, file.audit.items[0].choices
    shown = [place for place in audit.order[:top].tolist() if audit.doubtful[place]]
    rows = tuple(
        (
            file.rows[place].place,
            names[audit.items[place].target],
            names[audit.likelier[place]],
            " / ".join(audit.items[place].inputs.values())[:_TEXT_LETTERS],
            percent(audit.label_probs[place]),
            percent(audit.likelier_probs[place]),
        )
        for place in shown
    )
    columns = (say("row"), say("label"), say("reads like"), say("text"), say("label's"), say("other's"))
    return Table("doubtful-rows", "", columns, rows, text_columns=4)


def _pairs_table(audit: LabelAudit, say: Language) -> Table:
    rows = tuple((pair.label, pair.likelier, f"{pair.n:,}") for pair in audit.pairs[:PAIRS])
    return Table("label-pairs", "", (say("label"), say("reads like"), say("doubtful rows")), rows, text_columns=2)


def audit_rows(file: AuditedFile) -> Iterator[Sequence[str | float | None]]:
    """Yield the header, then every row of the file: rank, place, labels, probabilities and texts."""
    audit, names = file.audit, file.audit.items[0].choices
    fields = list(dict.fromkeys(name for item in audit.items for name in item.inputs))
    yield (
        "rank",
        "row",
        "doubtful",
        "label",
        "likelier",
        "label_prob",
        "likelier_prob",
        *(f"text.{f}" for f in fields),
    )
    for rank, place in enumerate(audit.order.tolist(), start=1):
        item = audit.items[place]
        yield (
            rank,
            file.rows[place].place,
            int(audit.doubtful[place]),
            names[item.target],
            names[audit.likelier[place]],
            _rounded(audit.label_probs[place]),
            _rounded(audit.likelier_probs[place]),
            *(item.inputs.get(field, "") for field in fields),
        )


def audit_json(file: AuditedFile) -> JsonObject:
    """Return the audit with its doubtful rows; the file has all of them."""
    audit, names = file.audit, file.audit.items[0].choices
    doubtful = [
        {
            "row": file.rows[place].place,
            "label": names[audit.items[place].target],
            "likelier": names[audit.likelier[place]],
            "label_prob": _rounded(audit.label_probs[place]),
            "likelier_prob": _rounded(audit.likelier_probs[place]),
            "texts": dict(audit.items[place].inputs),
        }
        for place in audit.order.tolist()
        if audit.doubtful[place]
    ]
    return {
        "name": file.name,
        "rows": len(audit.items),
        "judged": audit.n_judged,
        "wrong": round(audit.wrong, 6),
        "interval": audit.interval,
        "pairs": [pair._asdict() for pair in audit.pairs],
        "doubtful": doubtful,
        "csv": str(file.csv),
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
