"""Real logs, made by the tools themselves: scored as these scored them, with all that they hold, compared in pairs."""

import csv
import json
import math
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from data.types import Record
from eval.cli.parser import main
from eval.execution.logs.zip_members import read_member
from eval.rundir.journal import read_records, records_path
from tests.support.folders import DATA_FILES

LOGS = DATA_FILES / "logs"
LM_EVAL = LOGS / "lm_eval"
AGGREGATE = json.loads(next(LM_EVAL.glob("results_*.json")).read_text(encoding="utf-8"))
NLI_ROWS = [json.loads(line) for line in (LOGS / "made_by" / "nli.jsonl").read_text(encoding="utf-8").splitlines()]


def samples_of(task: str) -> Path:
    return next(LM_EVAL.glob(f"samples_{task}_2*.jsonl"))


def summary_of(capsys, run: Path, *arguments: object) -> dict[str, Any]:
    """Import logs, and return the only evaluation of the run's summary."""
    assert main(["import", *map(str, arguments), "--out", str(run), "--json"]) == 0
    (evaluation,) = json.loads(capsys.readouterr().out)["evaluations"]
    return evaluation


def records_of(run: Path, system: str) -> list[Record]:
    return list(read_records(records_path(run, system)))


@pytest.mark.parametrize(("task", "metric"), [("toy_nli", "acc"), ("toy_questions", "acc")])
def test_what_lm_eval_compared_is_scored_as_it_scored_it(tmp_path: Path, capsys, task: str, metric: str) -> None:
    evaluation = summary_of(capsys, tmp_path / "run", samples_of(task))
    (system,) = evaluation["systems"]
    assert system["scores"]["accuracy"] == pytest.approx(AGGREGATE["results"][task][f"{metric},none"])
    assert system["log_scores"]["differing"] == [] and system["log_scores"]["logged"] == system["scores"]["accuracy"]
    rows = [json.loads(line) for line in samples_of(task).read_text(encoding="utf-8").splitlines()]
    for record, row in zip(records_of(tmp_path / "run", system["name"]), rows, strict=True):
        likelihoods = [float(reply[0]) for reply in row["filtered_resps"]]
        total = math.fsum(map(math.exp, likelihoods))
        assert record.prediction is not None and record.messages is not None
        assert record.prediction.probs == pytest.approx([math.exp(one) / total for one in likelihoods])
        assert record.messages[0].content == row["arguments"]["gen_args_0"]["arg_0"]
    assert record.item.choices == tuple(
        row["doc"].get("choices") or ("entailment", "neutral", "contradiction")
    )  # the texts, where letters were compared


def test_what_lm_eval_generated_is_read_here_and_its_first_filter_s_score_is_shown(tmp_path: Path, capsys) -> None:
    (system,) = summary_of(capsys, tmp_path / "run", samples_of("toy_questions_said"))["systems"]
    logged = AGGREGATE["results"]["toy_questions_said"]["exact_match,strict"]
    assert system["log_scores"]["logged"] == pytest.approx(logged) and system["records"] == 8


def in_the_other_form(folder: Path, name: str) -> Path:
    """Write a log as its tool writes it in its other form: the same objects, put together otherwise."""
    path = folder / name
    if name == "questions.json":
        with ZipFile(LOGS / "questions.eval") as archive:
            parts = {one.filename: json.loads(read_member(archive, one)) for one in archive.infolist()}
        samples = [part for member, part in parts.items() if member.startswith("samples/")]
        path.write_text(json.dumps({**parts["header.json"], "samples": samples}, indent=2), encoding="utf-8")
    else:
        content = json.loads((LOGS / "promptfoo.json").read_text(encoding="utf-8"))
        path.write_text("".join(json.dumps(one) + "\n" for one in content["results"]["results"]), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["questions.eval", "questions.json"])
def test_inspect_ai_s_logs_of_both_forms_are_one(tmp_path: Path, capsys, name: str) -> None:
    log = LOGS / name if name.endswith(".eval") else in_the_other_form(tmp_path, name)
    (system,) = summary_of(capsys, tmp_path / "run", log)["systems"]
    with ZipFile(LOGS / "questions.eval") as archive:
        header = json.loads(read_member(archive, archive.getinfo("header.json")))
        assert archive.getinfo("header.json").compress_type == 93
    logged = header["results"]["scores"][0]["metrics"]["accuracy"]["value"]
    assert system["log_scores"]["logged"] == pytest.approx(logged)
    records = {record.item.id: record for record in records_of(tmp_path / "run", system["name"])}
    assert len(records) == 8
    record = records["questions/q4"]
    assert record.item.inputs == {"question": "다음 중 바퀴가 없는 것은?"} and record.item.target == 2
    assert record.prediction is not None and set(record.prediction.usage) == {"input_tokens", "output_tokens"}
    assert record.latency_s is not None and record.messages is not None and "A) 자전거" in record.messages[0].content
    differing = {item for item, one in records.items() if one.prediction and "answer is" in one.prediction.raw}
    right_here = {
        item for item in differing if (p := records[item].prediction) and p.choice == records[item].item.target
    }
    assert set(system["log_scores"]["differing"]) == right_here  # inspect-ai reads no such sentence


@pytest.mark.parametrize("name", ["promptfoo.json", "promptfoo.jsonl"])
def test_each_prompt_of_promptfoo_is_a_system_with_tokens_times_and_costs(tmp_path: Path, capsys, name: str) -> None:
    log = LOGS / name if name.endswith(".json") else in_the_other_form(tmp_path, name)
    evaluation = summary_of(capsys, tmp_path / "run", log)
    content = json.loads((LOGS / "promptfoo.json").read_text(encoding="utf-8"))["results"]
    assert len(evaluation["systems"]) == 2
    for number, system in enumerate(evaluation["systems"]):
        results = [one for one in content["results"] if one["promptIdx"] == number]
        logged = sum(one["success"] for one in results) / len(results)
        assert system["log_scores"]["logged"] == pytest.approx(logged)
        paid = sum(one["cost"] for one in results)
        assert system["cost"]["usd"] == pytest.approx(paid) and paid > 0
        for record in records_of(tmp_path / "run", system["name"]):
            assert record.prediction is not None and record.prediction.usage["output_tokens"] == 3
            assert set(record.item.inputs) == {"premise", "hypothesis"} and record.latency_s is not None


def test_langsmith_s_table_is_read(tmp_path: Path, capsys) -> None:
    (system,) = summary_of(capsys, tmp_path / "run", LOGS / "langsmith.csv")["systems"]
    with (LOGS / "langsmith.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    logged = sum(row["feedback.right"] == "True" for row in rows) / len(rows)
    assert system["log_scores"]["logged"] == pytest.approx(logged)
    records = records_of(tmp_path / "run", system["name"])
    assert [r.prediction.raw for r in records if r.prediction] == [row["outputs.answer"] for row in rows]


def test_a_batch_is_matched_to_a_labelled_file_by_its_prompts(tmp_path: Path, capsys) -> None:
    others = [{"premise": f"Text {n}.", "hypothesis": "So.", "label": row["label"]} for n, row in enumerate(NLI_ROWS)]
    for name, rows in (("train.csv", others), ("test.csv", NLI_ROWS)):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ["premise", "hypothesis", "label"])
            table.writeheader()
            table.writerows(rows)
    files = (LOGS / "batch_output.jsonl", LOGS / "batch_input.jsonl")
    assert main(["import", *map(str, files), "--out", str(tmp_path / "run")]) == 2
    assert "nothing says which item" in capsys.readouterr().err
    evaluation = summary_of(capsys, tmp_path / "run", *files, "--benchmark", f"{tmp_path}/")
    assert (evaluation["n_items"], evaluation["split"]) == (len(NLI_ROWS), "test")
    records = records_of(tmp_path / "run", "toy-batch")
    assert [record.error for record in records if record.error] == ["LoggedError: The server had an error."]
    for record in records:
        assert record.messages is not None and record.item.inputs["premise"] in record.messages[0].content
        assert record.prediction is None or record.prediction.usage["output_tokens"] == 3


def test_four_tools_over_the_same_items_are_compared_in_pairs(tmp_path: Path, capsys) -> None:
    names = ("promptfoo.json", "langsmith.csv", "batch_input.jsonl", "batch_output.jsonl", "nli.eval")
    evaluation = summary_of(capsys, tmp_path / "run", samples_of("toy_nli"), *(LOGS / name for name in names))
    assert evaluation["n_items"] == len(NLI_ROWS) and len(evaluation["systems"]) == 6
    assert len(evaluation["comparisons"]) == 15
    assert evaluation["verdict"] is not None
    run = str(tmp_path / "run")
    assert main(["compare", run, "--json"]) == 0
    assert main(["rescore", run]) == 0
    assert "0 predictions changed" in capsys.readouterr().out


REAL = sorted(path for path in LOGS.rglob("*") if path.is_file() and path.parent.name != "made_by")


@pytest.mark.parametrize(
    "path", [path for path in REAL if path.suffix not in (".md",)], ids=lambda path: path.name[:20]
)
def test_a_log_that_was_cut_is_refused_in_one_line_and_nothing_is_written(path: Path, tmp_path: Path, capsys) -> None:
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert main(["import", str(cut), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(cut) in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", [0.02, 0.3, 0.5, 0.7, 0.99])
def test_an_archive_with_a_wrong_byte_is_read_or_refused_in_one_line(place: float, tmp_path: Path, capsys) -> None:
    content = bytearray((LOGS / "questions.eval").read_bytes())
    content[int(len(content) * place)] ^= 0xFF
    log = tmp_path / "log.eval"
    log.write_bytes(content)
    code = main(["import", str(log), "--out", str(tmp_path / "run"), "--json"])
    assert code == 0 or (code == 2 and capsys.readouterr().err.count("\n") == 1)
