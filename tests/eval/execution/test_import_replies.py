"""Replies recorded elsewhere: read by the rules of a run, scored, compared, and unknown where nothing was recorded."""

import json
from pathlib import Path

import pytest

from data.registry import load_items
from eval.cli.parser import main
from eval.execution.import_replies import Reply
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.exam_file import write_exam


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    write_exam(tmp_path)
    return tmp_path / "2030_11_KICE.json"


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def imported(exam: Path, *files: Path) -> int:
    run = exam.parent / "run"
    return main(["import", *map(str, files), "--benchmark", "kice", "--data", str(exam), "--out", str(run), "--json"])


def test_replies_become_a_run_that_is_scored_compared_and_read_again(exam: Path, capsys) -> None:
    right = written(
        exam.parent / "right.jsonl",
        [
            {"id": "kice/2030-11/q02", "output": "정답은 ③입니다.", "input_tokens": 12, "latency_s": 0.5},
            {"id": "kice/2030-11/q01", "output": "<think>2번?</think>최종 정답: 1번", "finish_reason": "stop"},
        ],
    )
    table = exam.parent / "cut.tsv"
    table.write_text(
        "id\toutput\tfinish_reason\tinput_tokens\nkice/2030-11/q01\t1번, 2번을 보면\tlength\t\n", encoding="utf-8"
    )
    assert imported(exam, right, table) == 0
    evaluation = json.loads(capsys.readouterr().out)["evaluations"][0]
    assert [system["name"] for system in evaluation["systems"]] == ["right", "cut"]
    run = exam.parent / "run"
    first, second = read_records(records_path(run, "right"))
    assert [record.item.id for record in (first, second)] == ["kice/2030-11/q01", "kice/2030-11/q02"]
    assert [record.prediction and record.prediction.choice for record in (first, second)] == [0, 2]
    assert (first.latency_s, second.latency_s) == (None, 0.5)
    assert second.prediction is not None and second.prediction.usage == {"input_tokens": 12}
    (cut,) = read_records(records_path(run, "cut"))
    assert cut.prediction is not None and cut.prediction.choice is None
    description = read_manifest(run).systems["right"]
    assert (description.kind, description.answer_form) == ("imported", "number")
    assert len(str(description.replies_sha256)) == 64
    assert "incomplete" in (run / "report.md").read_text(encoding="utf-8")
    assert "what its replies cost is not recorded" in (run / "report.md").read_text(encoding="utf-8")
    assert main(["rescore", str(run)]) == 0
    assert "0 predictions changed" in capsys.readouterr().out
    assert main(["compare", str(run)]) == 0
    assert main(["show", str(run), "kice/2030-11/q01"]) == 0
    assert "seconds: unknown" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "kice/2030-11/q99", "output": "1"}], "line 1: there is no item 'kice/2030-11/q99'; the first is"),
        ([{"id": "kice/2030-11/q01", "output": "1"}] * 2, "line 2: item 'kice/2030-11/q01' has a row already"),
        ([{"id": "kice/2030-11/q01"}], "line 1: output: Field required"),
        ([{"id": "kice/2030-11/q01", "output": "1", "answer": "1"}], "line 1: answer: Extra inputs"),
        ([{"id": "kice/2030-11/q01", "output": "1", "latency_s": -1}], "line 1: latency_s: Input should be"),
        ([], "holds no replies"),
    ],
)
def test_a_faulty_row_is_named_and_nothing_is_written(exam: Path, capsys, rows, said: str) -> None:
    assert imported(exam, written(exam.parent / "replies.jsonl", rows)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (exam.parent / "run").exists()


def test_a_file_s_name_is_a_system_s(exam: Path, capsys) -> None:
    rows = [{"id": "kice/2030-11/q01", "output": "1"}]
    assert imported(exam, written(exam.parent / "my replies.jsonl", rows)) == 2
    assert "'my replies' cannot be a folder's name" in capsys.readouterr().err
    assert imported(exam, written(exam.parent / "우리-모델.jsonl", rows)) == 0
    (exam.parent / "other").mkdir()
    twice = [written(exam.parent / "a.jsonl", rows), written(exam.parent / "other" / "a.jsonl", rows)]
    assert imported(exam, *twice) == 2
    assert "are both system 'a'" in capsys.readouterr().err


def test_a_missing_file_is_a_missing_resource(exam: Path, capsys) -> None:
    assert imported(exam, exam.parent / "nowhere.jsonl") == 3
    assert "there is no file" in capsys.readouterr().err


def test_a_reply_without_text_is_imported_with_its_reasoning(exam: Path, capsys) -> None:
    rows: list[dict[str, object]] = [
        {"id": "kice/2030-11/q01", "output": None, "finish_reason": "length"},
        {"id": "kice/2030-11/q02", "output": None, "finish_reason": "MAX_TOKENS", "reasoning_content": "정답은 2번?"},
        {"id": "kice/2030-11/q03", "output": "<think>정답은 3번?", "finish_reason": "length"},
        {"id": "kice/2030-11/q04", "output": "", "reasoning": "정답은 4번?"},
        {"id": "kice/2030-11/q05", "output": None},
    ]
    assert imported(exam, written(exam.parent / "silent.jsonl", rows)) == 0
    shown = capsys.readouterr()
    read = [record.prediction for record in read_records(records_path(exam.parent / "run", "silent"))]
    assert [(one.choice, one.status, one.raw, one.reasoning) for one in read if one] == [
        (None, "truncated", "", ""),
        (None, "truncated", "", "정답은 2번?"),
        (None, "truncated", "", "정답은 3번?"),
        (None, "none", "", "정답은 4번?"),
        (None, "none", "", ""),
    ]
    assert "warning: silent: 3 of 5 replies were cut off before any text, at a limit that is not recorded" in shown.err
    assert "warning: silent: 1 of 5 replies holds reasoning and no text" in shown.err
    assert "warning: silent: 1 of 5 replies is empty" in shown.err
    assert not any("Not better than" in said for said in json.loads(shown.out)["conclusion"])


def test_an_output_that_is_missing_is_not_one_of_null(exam: Path, capsys) -> None:
    rows: list[dict[str, object]] = [{"id": "kice/2030-11/q01", "finish_reason": "length"}]
    assert imported(exam, written(exam.parent / "replies.jsonl", rows)) == 2
    assert "output: Field required" in capsys.readouterr().err


def test_numbers_of_labels_that_nothing_explains_are_counted_with_the_remedy(tmp_path: Path, capsys) -> None:
    ids = [item.id for item in load_items("mnli", split="sample")[:5]]
    outputs = ["0", "Answer: 3", "neutral", "Good question.", "2"]
    rows: list[dict[str, object]] = [{"id": name, "output": output} for name, output in zip(ids, outputs, strict=True)]
    rows[4]["prompt"] = "0: entailment\n1: neutral\n2: contradiction\nAnswer with a number."
    path = written(tmp_path / "numbers.jsonl", rows)
    command = ["import", str(path), "--benchmark", "mnli", "--split", "sample", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    said = f"{path}: 2 of 5 replies name a label by a number, which is not read, as no prompt says which label that is"
    assert said in capsys.readouterr().err
    read = [record.prediction for record in read_records(records_path(tmp_path / "run", "numbers"))]
    assert [one.choice for one in read if one] == [None, None, 1, None, 2]


def test_help_names_what_a_row_may_hold(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--help"])
    shown = capsys.readouterr().out
    assert all(f'"{name}"' in shown for name in Reply.model_fields if name != "reasoning_content")
    assert "null" in shown
