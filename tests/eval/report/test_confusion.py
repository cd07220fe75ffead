"""Confusion matrices: short names stand above the columns, and long ones beside the rows alone, with their numbers."""

import json
from pathlib import Path

import pytest

from eval.api import evaluate
from eval.report.sections.scores import confusion_tables
from eval.report.summary import summarize


@pytest.mark.parametrize(("length", "numbered"), [(5, False), (40, True)])
def test_long_names_of_labels_stand_beside_the_rows_alone(length: int, numbered: bool, tmp_path: Path) -> None:
    labels = [f"{letter * length}" for letter in "abc"]
    lines = [json.dumps({"text": f"{letter} {n}", "label": letter * length}) for n in range(12) for letter in "abc"]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines))
    run = evaluate(str(tmp_path / "mine.jsonl"), {"words": {"baseline": "tfidf"}}, out=tmp_path / "run")
    (evaluation,) = summarize(run.path).evaluations
    table = confusion_tables(evaluation)[0]
    names = [row[0] for row in table.rows]
    if numbered:
        assert table.columns[1:4] == ("1", "2", "3") and "number" in table.note
        assert names == [f"{number}. {label}" for number, label in enumerate(labels, start=1)]
    else:
        assert table.columns[1:4] == tuple(labels) and names == labels and not table.note
