"""The functions for scripts: items or a benchmark in; out comes a run that is read, compared, loaded, gone on with."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from data.common.errors import ConfigurationError, MissingResourceError
from eval import api
from eval.api import CallPolicy, EvaluationSpec, Prediction, Suite, SystemSpec, compare, evaluate, load_run
from tests.support.exam_file import write_exam
from tests.support.journaled_runs import exam_item, pair_item
from tests.support.scripted import ScriptedChatModel
from tests.support.tickets import MODEL as READS_WORDS
from tests.support.tickets import tickets
from tests.support.tiny_encoder import make_encoder, toy_items

PAIRS = [pair_item(number) for number in range(12)]
EXAM = [exam_item(number) for number in range(1, 9)]
MODEL = "tests.support.scripted_models:third"


@pytest.fixture(autouse=True)
def runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.rundir.names.RUNS_DIR", tmp_path / "runs")


def says(text: str) -> ScriptedChatModel:
    return ScriptedChatModel(reply=lambda messages: text)


def chain_that_says(text: str) -> Any:
    return ChatPromptTemplate.from_messages([("user", "{premise} {hypothesis}")]) | says(text)


def test_items_and_systems_of_ones_own_make_a_run_that_is_read_compared_and_loaded(tmp_path: Path) -> None:
    run = evaluate(
        PAIRS,
        {
            "message": chain_that_says("neutral"),
            "text": chain_that_says("neutral") | (lambda reply: reply.text),
            "prediction": RunnableLambda(lambda item: Prediction(choice=0, status="ok")),
            "function": lambda item: "Well.",
            "chance": {"baseline": "chance"},
        },
    )
    assert run.path == tmp_path / "runs" / "items"
    (evaluation,) = run.summary.evaluations
    assert (evaluation.benchmark, evaluation.split, evaluation.n_items) == ("items", "given", 12)
    scores = {system.name: system.scores for system in evaluation.systems if system.scores is not None}
    assert (
        scores["message"].accuracy == scores["text"].accuracy == scores["prediction"].accuracy == pytest.approx(1 / 3)
    )
    assert scores["function"].unparsed == 12

    frame = run.frame()
    assert len(frame) == 5 * 12
    assert frame.groupby("system")["correct"].mean()["message"] == pytest.approx(1 / 3)
    assert frame["choice_number"].isna().sum() == 12 and str(frame["choice_number"].dtype) == "Int64"

    assert len(run.compare()) == 10
    assert {(pair.a, pair.b) for pair in compare(run.path, run)} >= {("A/text", "B/text")}
    again = load_run(run.path)
    assert again.summary == run.summary and str(again) == str(run) and "prediction" in str(run)
    assert evaluate(PAIRS, {"chance": {"baseline": "chance"}}).path == tmp_path / "runs" / "items-2"


def test_the_choices_of_an_exam_are_read_as_numbers(tmp_path: Path) -> None:
    run = evaluate(EXAM, {"third": lambda item: "정답은 3번입니다.", "reply": lambda item: AIMessage("정답: 3")})
    assert list(run.frame()["choice_number"]) == [3] * 16


def test_a_benchmark_by_name_gives_what_the_command_gives(tmp_path: Path) -> None:
    exam = write_exam(tmp_path)
    systems = {"always": {"baseline": "always-3"}, "asked": SystemSpec(name="x", chain="kice-prompt", model=MODEL)}
    run = evaluate("kice", systems, data=exam, limit=4, out=tmp_path / "out")
    assert [system.name for system in run.summary.evaluations[0].systems] == ["always", "asked"]
    assert run.summary.evaluations[0].n_items == 4
    assert {path.name for path in run.path.iterdir()} >= {"manifest.json", "summary.json", "report.md", "report.html"}


def test_items_of_a_benchmark_are_answered_by_its_chains() -> None:
    zero_shot = {"chain": "mnli-zero-shot", "model": MODEL}
    run = evaluate(PAIRS, {"zero-shot": zero_shot}, benchmark="mnli")
    assert run.summary.evaluations[0].benchmark == "mnli"
    with pytest.raises(ConfigurationError, match="answers mnli, not items"):
        evaluate(PAIRS, {"zero-shot": zero_shot})


def test_systems_learn_from_the_items_that_are_given_for_it() -> None:
    learning = [pair_item(number) for number in range(9, 40)]
    run = evaluate(PAIRS, {"majority": {"baseline": "majority"}}, train=learning)
    description = run.summary.evaluations[0].systems[0].description
    assert description.train_items == 28  # three of them are evaluated
    with pytest.raises(ConfigurationError, match=r"give them as train="):
        evaluate(PAIRS, {"majority": {"baseline": "majority"}})


def test_an_encoder_is_trained_on_the_items_that_are_given_for_it(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path / "tiny")
    settings = {"model": str(encoder), "max_length": 48, "batch_size": 16, "epochs": 1, "bf16": "off"}
    system = {"finetune": settings, "any_label_order": True}
    run = evaluate(toy_items(9, seed=2), {"encoder": system}, train=toy_items(60, seed=1))
    assert run.summary.complete and len(run.frame()) == 9
    assert (run.path / "encoder" / "checkpoint").is_dir()


def test_a_run_is_gone_on_with(tmp_path: Path) -> None:
    seen: list[str] = []

    def fails_once(item: dict[str, Any]) -> str:
        seen.append(item["id"])
        if len(seen) == 5:
            raise KeyError("not today")
        return "neutral"

    systems = {"mine": RunnableLambda(fails_once, name="mine")}
    first = evaluate(PAIRS, systems, out=tmp_path / "out", max_concurrency=1)
    assert not first.summary.complete and first.outcome is not None and first.outcome.errors == 1
    second = evaluate(PAIRS, systems, out=tmp_path / "out", resume=True)
    assert second.summary.complete and len(seen) == 13
    with pytest.raises(ConfigurationError, match="cannot be resumed: its evaluations differ"):
        evaluate(PAIRS[:5], systems, out=tmp_path / "out", resume=True)
    with pytest.raises(ConfigurationError, match="is not empty"):
        evaluate(PAIRS, systems, out=tmp_path / "out")


def test_a_run_may_end_once_its_systems_are_decided(tmp_path: Path) -> None:
    systems = {"right": RunnableLambda(lambda item: "neutral"), "wrong": RunnableLambda(lambda item: "contradiction")}
    items = [pair_item(3 * number + 1) for number in range(60)]  # all of them neutral
    run = evaluate(items, systems, benchmark="mnli", until_decided=True, out=tmp_path / "out")
    (evaluation,) = run.summary.evaluations
    assert evaluation.early_end is not None and evaluation.early_end.asked < 60
    assert evaluation.comparisons[0].decided == "b" and "of 60 items" in str(run)
    with pytest.raises(ConfigurationError, match="name two or more"):
        evaluate(items, {"right": systems["right"]}, benchmark="mnli", until_decided=True)


def test_a_suite_is_taken_as_an_object_a_file_or_a_name(tmp_path: Path) -> None:
    always = SystemSpec(name="always", baseline="always-3")
    exam = write_exam(tmp_path)
    suite = Suite(name="own", evaluations=(EvaluationSpec(benchmark="kice", data=exam, systems=(always,)),))
    assert evaluate(suite).path == tmp_path / "runs" / "own"
    file = tmp_path / "suite.yaml"
    entry = f"{{benchmark: kice, data: {exam}, systems: [{{name: always, baseline: always-3}}]}}"
    file.write_text(f"name: own\nevaluations:\n  - {entry}\n")
    assert evaluate(file).path == tmp_path / "runs" / "own-2"
    assert evaluate(str(file), lang="ko").path == tmp_path / "runs" / "own-3"


@pytest.mark.parametrize(
    ("asked", "systems", "more", "said"),
    [
        ("nosuch", {"a": {"baseline": "chance"}}, {}, "unknown benchmark or suite 'nosuch'"),
        ("mnli", None, {}, "nobody is to answer"),
        (PAIRS, {}, {}, "nobody is to answer"),
        ([], {"a": {"baseline": "chance"}}, {}, "the list of items holds no items"),
        ([*PAIRS, PAIRS[0]], {"a": {"baseline": "chance"}}, {}, "occur more than once, first 'mnli/made-up/0'"),
        ([{"id": "a"}], {"a": {"baseline": "chance"}}, {}, "item 1 is of the type dict"),
        (7, {"a": {"baseline": "chance"}}, {}, "int is no list of items"),
        (PAIRS, {"a": {"baseline": "chance", "k": 0}}, {}, "system 'a': k: Input should be greater"),
        (PAIRS, {"a": {"basline": "chance"}}, {}, "system 'a': basline: Extra inputs"),
        (PAIRS, {"a": {}}, {}, "system 'a' needs exactly one of baseline, chain, checkpoint, finetune, cascade, not 0"),
        (PAIRS, {"../a": {"baseline": "chance"}}, {}, "cannot be a folder's name"),
        (PAIRS, {"a": 3}, {}, "system 'a' is of the type int; give a Runnable"),
        (PAIRS, {"a": says("neutral")}, {}, "system 'a' is a chat model, which takes messages"),
        (PAIRS, {"a": {"runnable": "RunnableLambda"}}, {}, "system 'a' is a runnable, which only a script can give"),
        (PAIRS, {"a": {"baseline": "chance"}}, {"limit": 3}, "limit does not go with a list of items"),
        (PAIRS, {"a": {"baseline": "chance"}}, {"benchmark": "nosuch"}, "unknown benchmark 'nosuch'"),
        (EXAM, {"a": {"baseline": "chance"}}, {"benchmark": "mnli"}, "the labels of mnli are entailment, neutral"),
        ("mnli", {"a": {"baseline": "chance"}}, {"train": PAIRS}, "train does not go with a benchmark's name"),
        ("mnli", {"a": {"baseline": "chance"}}, {"limit": 0}, "evaluation: limit: Input should be greater"),
        ("demo", {"a": {"baseline": "chance"}}, {}, "systems does not go with a suite"),
        ("demo", None, {"split": "sample"}, "split does not go with a suite"),
        (PAIRS, {"a": {"baseline": "chance"}}, {"resume": True}, "name its folder as out="),
        (PAIRS, {"a": {"baseline": "chance"}}, {"max_concurrency": 0}, "max_concurrency 0 lets nothing run"),
        (PAIRS, {"a": {"baseline": "chance"}}, {"policy": CallPolicy(rpm=0)}, "rpm 0 is no limit"),
        (PAIRS, {"a": {"baseline": "chance"}}, {"policy": CallPolicy(retries=-1)}, "retries -1 is below 0"),
        (PAIRS, {"a": lambda item: "x"}, {"policy": CallPolicy(max_cost_usd=1)}, "what the system 'a' asks by itself"),
    ],
)
def test_wrong_input_is_one_clear_line_and_writes_nothing(
    asked: Any, systems: Any, more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"^[^\n]*$") as caught:
        evaluate(asked, systems, **more)
    assert said in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_the_index_of_no_choice_is_its_item_s_error_and_another_type_every_item_s() -> None:
    run = evaluate(PAIRS[:2], {"number": lambda item: 3})
    assert "choice 3 is none of the item's 3" in run.frame()["error"][0]
    with pytest.raises(ConfigurationError, match="system 'nothing' answered with a NoneType"):
        evaluate(PAIRS[:2], {"nothing": lambda item: None})


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingResourceError, match="is not a run"):
        load_run(tmp_path)


def test_every_name_is_there_and_importing_them_loads_nothing_heavy() -> None:
    assert all(hasattr(api, name) for name in api.__all__) and len(api.__all__) <= 12
    code = "import sys, eval.api; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "langchain_core", "numpy", "pandas", "transformers"} & set(done.stdout.split())


def test_new_texts_are_labelled_by_a_system_of_a_run(tmp_path: Path) -> None:
    path = tickets(tmp_path / "tickets.csv")
    run = evaluate(str(path), {"asked": {"chain": "classify", "model": READS_WORDS}}, out=tmp_path / "run")
    written = {file: file.stat().st_mtime_ns for file in run.path.rglob("*")}
    texts = ["where is my card, lost in town", "rain today"]
    assert load_run(run.path).label(texts, system="tfidf") == ["card", "weather"]
    assert run.label([{"Message": "my money back please"}, "no such words"], system="asked") == ["refund", None]
    assert {file: file.stat().st_mtime_ns for file in run.path.rglob("*")} == written
    with pytest.raises(ConfigurationError, match="unknown system 'mine'"):
        run.label(texts, system="mine")
    with pytest.raises(ConfigurationError, match="text 2 must have these by name: Message"):
        run.label(["card lost", {"text": "rain"}], system="tfidf")
    tickets(path, n=60)
    with pytest.raises(ConfigurationError, match="'tfidf' is made of has changed"):
        run.label(texts, system="tfidf")


def test_a_run_that_ended_early_labels_new_texts_too(tmp_path: Path) -> None:
    systems = {name: {"baseline": name} for name in ("majority", "tfidf")}
    run = evaluate("mnli", systems, split="sample", until_decided=True, out=tmp_path / "run")
    texts = [{"premise": "A man sleeps.", "hypothesis": "A man is awake."}]
    assert len(run.label(texts, system="tfidf")) == 1
