"""A run in MLflow's own store on disk: every system once, with its figures, and no key of the user's."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from eval.cli.parser import main
from eval.report.summary import summarize
from tests.support.priced_runs import priced_run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return MlflowClient(uri)


def runs_of(store: MlflowClient, experiment: str) -> dict[str, Run]:
    found = store.get_experiment_by_name(experiment)
    return {run.info.run_name: run for run in store.search_runs([found.experiment_id])}


def test_each_system_is_a_run_with_its_description_and_its_figures(tmp_path: Path, store: MlflowClient) -> None:
    run_dir = priced_run(tmp_path / "tickets")
    assert main(["mlflow", str(run_dir), "--experiment", "tune or prompt"]) == 0
    runs = runs_of(store, "tune or prompt")
    (evaluation,) = summarize(run_dir).evaluations
    assert set(runs) == {"tickets", *(f"tickets/{system.name}" for system in evaluation.systems)}
    for system in evaluation.systems:
        sent, scores = runs[f"tickets/{system.name}"].data, system.scores
        assert scores is not None and system.accuracy_interval is not None
        assert (sent.metrics["accuracy"], sent.metrics["accuracy_low"]) == (
            scores.accuracy,
            system.accuracy_interval.low,
        )
        assert sent.metrics.get("usd_per_query") == system.cost.usd_per_query
        assert sent.params["kind"] == system.description.kind
        assert sent.tags["mlflow.parentRunId"] == runs["tickets"].info.run_id
    assert runs["tickets/prompted"].data.params["model.spec"] == "openai:known"


def test_a_run_that_is_sent_again_gets_the_figures_of_today_and_is_no_second_one(
    tmp_path: Path, store: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = priced_run(tmp_path / "tickets")
    monkeypatch.setenv("OPENAI_API_KEY", "openai:known")  # a key that a parameter happens to hold
    assert main(["report", str(run_dir)]) == main(["mlflow", str(run_dir)]) == main(["mlflow", str(run_dir)]) == 0
    runs = runs_of(store, summarize(run_dir).name)
    assert len(runs) == 4
    assert capsys.readouterr().out.count("renewed") == 4
    assert "openai:known" not in str(runs["tickets/prompted"].data.params)
    artifacts = {file.path for file in store.list_artifacts(runs["tickets"].info.run_id)}
    assert artifacts == {"report.html", "report.md", "summary.json"}
    other = priced_run(tmp_path / "other" / "tickets", prefix="x-")
    assert main(["mlflow", str(other), "--experiment", summarize(run_dir).name]) == 0
    assert len(runs_of(store, summarize(run_dir).name)) > 4


def test_a_store_that_cannot_be_opened_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run_dir = priced_run(tmp_path / "tickets")
    for uri in ("http://127.0.0.1:9", "nonsense://here"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert main(["mlflow", str(run_dir)]) == 3
        assert capsys.readouterr().err.count("\n") == 1
