"""Runs as LangSmith's datasets and experiments, by the real SDK to a LangSmith on loopback."""

import json
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableLambda
from langsmith.utils import get_env_var

from data.types import Item, Prediction
from eval.api import evaluate
from eval.cli.parser import main
from eval.execution.experiments.note import NOTE_FILE
from eval.rundir.journal import latest_records, read_records
from eval.rundir.manifest import read_manifest
from tests.support.fault_server import serve_faults
from tests.support.runs_over_server import journal_of, run_arguments
from tests.support.trace_server import Mood, TraceServer, is_uuid7, serve_traces
from tests.support.traced_runs import NOBODY, STEADY, command, run_of, traced_to

DATASET = ("--langsmith-dataset", "exam 2030")


@pytest.fixture
def langsmith(monkeypatch: pytest.MonkeyPatch):
    with serve_traces() as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.address)
        monkeypatch.setenv("LANGSMITH_API_KEY", "of-nobody-at-all")
        get_env_var.cache_clear()
        yield server
    get_env_var.cache_clear()


def baselines(out: Path, **options) -> Path:
    systems = {"majority": {"baseline": "majority"}, "words": {"baseline": "tfidf"}}
    return evaluate("banking77-sample", systems, out=out, limit=30, **options).path


def check_experiments(server: TraceServer, run_dir: Path, dataset: str) -> None:
    """Check that each answer of a run is one run of its system's experiment, with its scores and its example."""
    manifest = read_manifest(run_dir)
    dataset_id = server.datasets[dataset]["id"]
    example_of = {
        one["metadata"]["item_id"]: one for one in server.examples.values() if one["dataset_id"] == dataset_id
    }
    for system in manifest.systems:
        about = {"run": run_dir.name, "system": system}
        (experiment,) = [one for one in server.sessions.values() if about.items() <= one["extra"]["metadata"].items()]
        assert experiment["reference_dataset_id"] == dataset_id
        rows = {
            run["reference_example_id"]: run
            for run in server.roots
            if run["session_name"] == experiment["name"] and run.get("reference_example_id")
        }
        records = latest_records(run_dir / system / "records.jsonl")
        assert len(rows) == len(records)
        for record in records.values():
            example, answer = example_of[record.item.id], record.prediction
            assert answer is not None
            assert example["inputs"] == record.item.to_input()
            assert example["outputs"] == {
                "answer": record.item.choices[record.item.target],
                "choice": record.item.target,
            }
            scores = server.scores_of(rows[example["id"]])
            is_right = answer.choice == record.item.target
            assert scores["correct"] == is_right
            assert scores["points"] == pytest.approx(record.item.weight if is_right else 0, abs=1e-4)
            assert scores["status"] == answer.status
            likely = None if answer.probs is None else answer.probs[answer.choice or 0]
            assert scores.get("confidence") == (None if likely is None else pytest.approx(likely, abs=1e-4))


def test_a_run_is_a_dataset_and_an_experiment_for_each_system(tmp_path: Path, langsmith: TraceServer) -> None:
    run_dir = baselines(tmp_path / "run", langsmith_dataset="intents")
    check_experiments(langsmith, run_dir, "intents")
    assert len(langsmith.sessions) == 2 and len(langsmith.examples) == 30 and len(langsmith.runs) == 60
    assert all(map(is_uuid7, langsmith.runs))
    about = langsmith.datasets["intents"]["metadata"]
    (evaluation,) = read_manifest(run_dir).evaluations
    assert (about["split"], about["fingerprint"]) == (evaluation.split, evaluation.fingerprint)
    assert {one["split"] for one in langsmith.examples.values()} == {evaluation.split}


def test_what_is_there_is_not_sent_again(
    tmp_path: Path, langsmith: TraceServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = baselines(tmp_path / "run", langsmith_dataset="intents")
    posted, received = dict(langsmith.posted), langsmith.received
    capsys.readouterr()
    assert main(["langsmith", str(run_dir), "--json"]) == 0
    assert [(row["sent"], row["there"]) for row in json.loads(capsys.readouterr().out)["experiments"]] == [(0, 30)] * 2
    assert (langsmith.posted, langsmith.received) == (posted, received)
    baselines(tmp_path / "other", langsmith_dataset="intents", seed=1)
    check_experiments(langsmith, run_dir, "intents")
    assert len(langsmith.datasets) == 1 and len(langsmith.examples) == 30, "the same items are the same examples"
    assert len(langsmith.sessions) == 4 and set(langsmith.posted.values()) == {1}
    (run_dir / NOTE_FILE).unlink()
    assert main(["langsmith", str(run_dir), "--dataset", "intents"]) == 0
    assert len(langsmith.sessions) == 4 and len(langsmith.runs) == 120 and len(langsmith.examples) == 30
    check_experiments(langsmith, run_dir, "intents")  # what is sent again without the note has the same ids


def test_a_run_can_be_sent_later_and_what_is_read_differently_is_corrected(
    tmp_path: Path, langsmith: TraceServer
) -> None:
    run_dir = baselines(tmp_path / "run")
    assert not langsmith.attempts
    assert main(["langsmith", str(run_dir)]) == 0
    (dataset,) = langsmith.datasets
    assert dataset == "banking77-test"
    journal = run_dir / "words" / "records.jsonl"
    first, *others = read_records(journal)
    wrong = Prediction(choice=(first.item.target + 1) % len(first.item.choices), status="ok")
    changed = [first.model_copy(update={"prediction": wrong}), *others]
    journal.write_text("".join(one.model_dump_json() + "\n" for one in changed))
    assert main(["langsmith", str(run_dir)]) == 0
    assert len(langsmith.roots) == 60
    (session,) = [one for one in langsmith.sessions.values() if one["extra"]["metadata"]["system"] == "words"]
    (row,) = [r for r in langsmith.roots if r["session_name"] == session["name"] and first.item.id in r["tags"]]
    assert langsmith.scores_of(row)["correct"] == 0


def test_traces_are_the_runs_of_the_experiment_also_when_resumed(tmp_path: Path) -> None:
    with serve_traces() as traces, serve_faults(STEADY) as server:
        ended = run_of(tmp_path / "out", server, traced_to(traces.address), *DATASET, items=50)
        assert ended.said == []
        check_experiments(traces, tmp_path / "out", "exam 2030")
        rows = [run for run in traces.roots if run.get("reference_example_id")]
        children = {run["name"] for run in traces.runs.values() if run.get("parent_run_id") == rows[0]["id"]}
        assert children == {"prompt", "model", "read answer"}
        assert set(traces.posted.values()) == {1}
        journal = journal_of(tmp_path / "out")
        lines = journal.read_text().splitlines(keepends=True)
        journal.write_text("".join(lines[:40]))
        again = run_arguments(tmp_path, server, "--resume", str(tmp_path / "out"), *DATASET)
        assert command(again, traced_to(traces.address)).code == 0
        answered_again = [run for run in traces.roots if run.get("reference_example_id")]
        assert len(answered_again) == 60, "ten items were asked once more"
        assert set(traces.posted.values()) == {1}


FAULTS = [
    (None, f"LangSmith at {NOBODY} does not answer; "),
    (Mood(status=500), "answered 500 Internal Server Error; "),
    (Mood(latency_s=5), "is slow; "),
]


@pytest.mark.parametrize("is_traced", [False, True], ids=["untraced", "traced"])
@pytest.mark.parametrize(("mood", "said"), FAULTS, ids=["down", "500", "slow"])
def test_a_run_does_not_wait_for_experiments(tmp_path: Path, mood: Mood | None, said: str, is_traced: bool) -> None:
    waited = []
    for attempt in range(3):  # what else runs on the machine may slow any of the runs
        with serve_faults(STEADY) as server, serve_traces(mood or Mood()) as sick:
            environment = traced_to(sick.address if mood else NOBODY)
            if not is_traced:
                environment |= {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
            usual = run_of(tmp_path / f"usual-{attempt}" / "out", server, {"LANGSMITH_TRACING": "false"}, items=100)
            beside = run_of(tmp_path / f"beside-{attempt}" / "out", server, environment, *DATASET, items=100)
            (line,) = beside.said
            assert said in line and line.endswith("out --dataset 'exam 2030' sends all later")
            assert sick.attempts <= 3
            sick.mood = Mood()
            if mood is not None and attempt == 0:
                later = ["langsmith", str(tmp_path / f"beside-{attempt}" / "out"), "--dataset", "exam 2030"]
                assert command(later, environment).code == 0
                check_experiments(sick, tmp_path / f"beside-{attempt}" / "out", "exam 2030")
        waited.append(beside.wall_s - (1.05 * usual.wall_s + 1.5))
        if waited[-1] <= 0:
            break
    assert min(waited) <= 0


def test_an_item_that_failed_is_sent_once_it_is_answered(tmp_path: Path, langsmith: TraceServer) -> None:
    items = [
        Item(id=f"i{n}", inputs={"text": f"text {n}"}, choices=("a", "b"), target=0, group=f"g{n}") for n in range(5)
    ]
    is_mended = False

    def answer(entry: dict) -> Prediction:
        if entry["id"] == "i3" and not is_mended:
            raise ValueError("cannot say")
        return Prediction(choice=0, status="ok", raw="a")

    options = {"out": tmp_path / "run", "langsmith_dataset": "letters"}
    run = evaluate(items, {"mine": RunnableLambda(answer)}, **options)
    assert len(langsmith.runs) == 4 and len(langsmith.examples) == 5
    is_mended = True
    evaluate(items, {"mine": RunnableLambda(answer)}, resume=True, **options)
    check_experiments(langsmith, run.path, "letters")
    assert set(langsmith.posted.values()) == {1}


def test_no_key_is_sent(tmp_path: Path, langsmith: TraceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "correct-horse-battery"
    monkeypatch.setenv("MY_OWN_API_KEY", secret)
    item = Item(id="i", inputs={"text": f"My key is {secret}."}, choices=(secret, "b"), target=0, group="g")

    def answer(entry: dict) -> Prediction:
        return Prediction(choice=0, status="ok", raw=f"It is {secret}")

    run = evaluate([item], {"mine": RunnableLambda(answer)}, out=tmp_path / "run", langsmith_dataset="keys")
    assert len(langsmith.runs) == len(langsmith.examples) == 1
    assert secret.encode() not in langsmith.received and b"It is [redacted]" in langsmith.received
    (row,) = langsmith.roots
    assert row["reference_example_id"] in langsmith.examples
    (run.path / NOTE_FILE).unlink()
    assert main(["langsmith", str(run.path), "--dataset", "keys"]) == 0
    assert len(langsmith.runs) == len(langsmith.examples) == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        ([], {"LANGSMITH_ENDPOINT": NOBODY}, 3, f"LangSmith at {NOBODY} does not answer"),
        ([], {"LANGSMITH_ENDPOINT": "", "LANGSMITH_API_KEY": ""}, 3, "LANGSMITH_API_KEY is not set"),
        (["--dataset", " "], {}, 2, "needs a name"),
        (["--dataset", "held"], {}, 2, "dataset 'held' in LangSmith holds items of mnli"),
    ],
    ids=["down", "no key", "no name", "other items"],
)
def test_what_cannot_be_sent_is_one_line(
    tmp_path: Path,
    langsmith: TraceServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    said: str,
) -> None:
    run_dir = evaluate("banking77-sample", {"majority": {"baseline": "majority"}}, out=tmp_path / "run", limit=3).path
    evaluate(
        "mnli",
        {"majority": {"baseline": "majority"}},
        split="sample",
        limit=3,
        out=tmp_path / "other",
        langsmith_dataset="held",
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    get_env_var.cache_clear()
    capsys.readouterr()
    assert main(["langsmith", str(run_dir), *arguments]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (run_dir / NOTE_FILE).exists()
