"""Whatever file is named: a huge one needs little memory, a foreign one is refused, and what is unknown is said."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from eval.cli.parser import main
from eval.execution.import_logs import import_logs, known_formats
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest

PROMPT = "An example of a question, and its answer. " * 2_500  # 100 KB


def lm_row(number: int, *, prompt: str = "", **changes: Any) -> dict[str, Any]:
    """A sample of lm-evaluation-harness whose two choices were compared; the first is right, and the likelier one."""
    question = f"Is {number} a number?"
    asked = {
        f"gen_args_{n}": {"arg_0": f"{prompt}{question}", "arg_1": f" {text}"} for n, text in enumerate(("yes", "no"))
    }
    said = [["-1.0", "True"], ["-3.0", "False"]]
    doc = {"question": question, "choices": ["yes", "no"]}
    row = {"doc_id": number, "doc": doc, "target": "0", "arguments": asked, "resps": [[one] for one in said]}
    return {**row, "filtered_resps": said, "filter": "none", "metrics": ["acc"], "acc": 1.0, **changes}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def refusal(capsys, run: Path, *arguments: object) -> str:
    """Import what is to be refused, and return the line that says why."""
    assert main(["import", *map(str, arguments), "--out", str(run)]) == 2
    error: str = capsys.readouterr().err
    assert error.count("\n") == 1 and not run.exists()
    return error


def test_a_huge_log_needs_the_memory_of_a_few_rows(tmp_path: Path) -> None:
    path = tmp_path / "samples_huge.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(lm_row(n, prompt=PROMPT)) + "\n" for n in range(150))
    assert path.stat().st_size > 30_000_000
    (tmp_path / "small").mkdir()
    small = written(tmp_path / "small" / "samples_small.jsonl", [lm_row(1, prompt=PROMPT)])
    import_logs(known_formats([small], are_replies=False), tmp_path / "warm")  # what is loaded once
    tracemalloc.start()
    import_logs(known_formats([path], are_replies=False), tmp_path / "run")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert sum(1 for _ in read_records(records_path(tmp_path / "run", "samples_huge"))) == 150


def test_target_indices_and_target_texts_are_told_apart_by_the_score(tmp_path: Path, capsys) -> None:
    numbers = [" 2", " 1"]
    asked = {f"gen_args_{n}": {"arg_0": "2 - 1 =", "arg_1": text} for n, text in enumerate(numbers)}
    said = [["-9.0", "False"], ["-1.0", "True"]]  # the second is taken: "1"
    changes = {"doc": {"sum": "2 - 1 ="}, "target": "1", "arguments": asked, "filtered_resps": said}
    rows = [lm_row(0, **changes, acc=1.0), lm_row(1, **changes, acc=0.0)]
    assert main(["import", str(written(tmp_path / "s.jsonl", rows)), "--out", str(tmp_path / "run")]) == 0
    assert [record.item.target for record in read_records(records_path(tmp_path / "run", "s"))] == [1, 1]


def test_what_a_log_does_not_hold_is_said_in_one_line(tmp_path: Path, capsys) -> None:
    path = written(tmp_path / "samples_x.jsonl", [lm_row(n) for n in range(3)] + [lm_row(3, target="[0, 1]")])
    assert main(["import", str(path), "--out", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert f"{path}: 1 of its rows left out, for several right answers" in lines
    assert f"{path} holds no token counts, costs or times: what follows from them is unknown" in lines
    assert read_manifest(tmp_path / "run").systems["samples_x"].replies == str(path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("tickets.csv", "text,label\nhello,greeting\n", "comma-separated values"),
        ("rows.jsonl", '{"question": "?", "answer": "A"}\n', "rows with the names question, answer"),
        ("empty.jsonl", "", "empty"),
        ("notes.txt", "nothing\n", "text and no JSON"),
        ("replies.jsonl", '{"id": "a", "output": "b"}\n', "say whose items they answer with --benchmark"),
        ("input.jsonl", '{"custom_id": "a", "body": {"messages": []}}\n', "holds no replies"),
        ("odd.jsonl", '{"doc": 1, "arguments": 2, "resps": 3, "filtered_resps": 4}\n', "no sample of lm-evaluation"),
        ("odd.json", '{"version": 2, "eval": {"task": 1}, "samples": [{}]}', "no log of inspect-ai"),
        ("old.eval", "PK\x03\x04cut", "the end of the archive is missing"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path, name: str, text: str, said: str, capsys) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert said in refusal(capsys, tmp_path / "run", path)


def test_one_damaged_file_among_several_leaves_nothing_behind(tmp_path: Path, capsys) -> None:
    good = written(tmp_path / "samples_x.jsonl", [lm_row(0), lm_row(1)])
    bad = tmp_path / "samples_y.jsonl"
    bad.write_text(good.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    assert f"{bad}, line 2: not JSON" in refusal(capsys, tmp_path / "run", good, bad)


def test_right_answers_that_are_numbers_count_from_what_all_of_them_say(tmp_path: Path, capsys) -> None:
    def rows(numbers: list[int]) -> Path:
        vars_ = [{"question": f"Which, {n}?", "A": "x", "B": f"y{n}", "C": "z", "answer": str(n)} for n in numbers]
        given = [
            {
                "provider": "p",
                "prompt": {"raw": "?"},
                "testIdx": n,
                "vars": one,
                "response": {"output": "B"},
                "success": True,
            }
            for n, one in enumerate(vars_)
        ]
        return written(tmp_path / "results.jsonl", given)

    assert "--answers-from 0 or 1" in refusal(capsys, tmp_path / "run", rows([1, 2, 1]))
    for number, arguments in enumerate(([rows([1, 2, 3])], [rows([1, 2, 3]), "--answers-from", "1"])):
        run = tmp_path / f"run{number}"
        assert main(["import", *map(str, arguments), "--out", str(run)]) == 0
        records = list(read_records(records_path(run, "p")))
        assert [record.item.target for record in records] == [0, 1, 2]
        assert [record.prediction.choice for record in records if record.prediction] == [1, 1, 1]


def test_free_answers_are_refused_and_labels_are_those_of_the_log(tmp_path: Path, capsys) -> None:
    def rows(answers: list[str]) -> Path:
        given = [
            {
                "provider": {"id": "p"},
                "prompt": {"raw": f"Sort this: mail {n}"},
                "vars": {"text": f"mail {n}"},
                "testCase": {"assert": [{"type": "equals", "value": answer}]},
                "response": {"output": "It is a refund."},
                "success": False,
            }
            for n, answer in enumerate(answers)
        ]
        return written(tmp_path / "results.jsonl", given)

    free = rows([f"free text {n}" for n in range(30)])
    assert "30 different right answers to 30 items" in refusal(capsys, tmp_path / "run", free)
    assert main(["import", str(rows(["refund", "Refund", "delivery"])), "--out", str(tmp_path / "run")]) == 0
    records = list(read_records(records_path(tmp_path / "run", "p")))
    assert [(record.item.choices, record.item.target) for record in records] == [
        (("delivery", "refund"), 1),
        (("delivery", "refund"), 1),
        (("delivery", "refund"), 0),
    ]
    assert [record.prediction.choice for record in records if record.prediction] == [1, 1, 1]


def test_replies_beside_a_log_are_a_system_of_it_by_their_ids(tmp_path: Path, capsys) -> None:
    log = written(tmp_path / "samples_x.jsonl", [lm_row(n) for n in range(3)])
    replies = written(tmp_path / "mine.jsonl", [{"id": str(n), "output": "no", "latency_s": 1} for n in (2, 0)])
    assert main(["import", str(replies), str(log), "--out", str(tmp_path / "run")]) == 0
    assert read_manifest(tmp_path / "run").evaluations[0].systems == ("samples_x", "mine")
    records = list(read_records(records_path(tmp_path / "run", "mine")))
    assert [(r.item.id, r.prediction and r.prediction.choice) for r in records] == [
        ("samples_x/0", 1),
        ("samples_x/2", 1),
    ]
