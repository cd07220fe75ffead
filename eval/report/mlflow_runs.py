"""A run as MLflow shows it: one MLflow run a system, with its description as parameters and its scores as metrics.

    tickets-run                 the reports as artifacts, the verdict as its description
      └ tickets-run/tuned       model, epochs, …; accuracy, accuracy_low, accuracy_high, usd_per_query, …

A run's folder in; the MLflow runs out. Each carries a tag that is a function of what it stands for: sent again, a run
gets the figures of today and is no second one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data.common.errors import MissingResourceError
from data.common.secrets import make_redactor
from data.common.text import mentioned
from eval.report.summary import EvaluationSummary, Summary, summarize
from eval.report.system_figures import SystemSummary

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "tune_or_prompt.key"
PARENT = "mlflow.parentRunId"  # what MLflow's page nests runs by
NOTE = "mlflow.note.content"  # what MLflow's page shows as a run's description
_REPORTS = ("report.html", "report.md", "summary.json")
_LONGEST = 6000  # characters that MLflow takes of a parameter


class SentRun(NamedTuple):
    """An MLflow run: the name it has there, its id, and whether it was there before."""

    name: str
    id: str
    was_there: bool


def send_to_mlflow(run_dir: Path, experiment: str | None = None) -> list[SentRun]:
    """Send a run to the tracking server that MLFLOW_TRACKING_URI names.

    Args:
        run_dir: The run's folder.
        experiment: The name of the experiment there; None: the run's own name.

    Returns:
        The run itself first, then a row for each system.

    Raises:
        MissingResourceError: The folder is no run; MLflow's store cannot be opened, or does not answer.
        ConfigurationError: A file of the run is damaged.
    """
    summary = summarize(run_dir)
    with _faults_in_one_line():
        from mlflow import MlflowClient

        return _Sending(MlflowClient(), summary, run_dir, experiment or summary.name).send()


class _Sending:
    """One sending of a run to an experiment."""

    def __init__(self, client: "MlflowClient", summary: Summary, run_dir: Path, experiment: str) -> None:
        self._client, self._summary, self._run_dir = client, summary, run_dir
        found = client.get_experiment_by_name(experiment)
        self._experiment = found.experiment_id if found else client.create_experiment(experiment)
        self._clean = make_redactor()

    def send(self) -> list[SentRun]:
        sentences = [line for one in self._summary.evaluations for line in one.verdict_sentences]
        whole = self._run(self._run_dir.name, tags={NOTE: " ".join(sentences)}, params={"seed": self._summary.seed})
        for path in (self._run_dir / name for name in _REPORTS):
            if path.is_file():
                self._client.log_artifact(whole.id, str(path))
        self._client.set_terminated(whole.id)
        sent = [whole]
        for evaluation in self._summary.evaluations:
            sent += [self._system(evaluation, system, whole) for system in evaluation.systems]
        return sent

    def _system(self, evaluation: EvaluationSummary, system: SystemSummary, whole: SentRun) -> SentRun:
        about = {name: str(getattr(evaluation, name)) for name in ("benchmark", "split", "fingerprint")}
        described = system.description.model_dump(mode="json", exclude_none=True)
        made = self._run(f"{whole.name}/{system.name}", tags={**about, PARENT: whole.id}, params=dict(flat(described)))
        for name, value in metrics_of(system).items():
            self._client.log_metric(made.id, name, value)
        self._client.set_terminated(made.id)
        return made

    def _run(self, name: str, *, tags: Mapping[str, str], params: Mapping[str, object]) -> SentRun:
        key = sha256(f"{name}\0{self._summary.started_utc}\0{tags.get('fingerprint')}".encode()).hexdigest()
        found = self._client.search_runs([self._experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        made = found[0] if found else self._client.create_run(self._experiment, run_name=name, tags={KEY: key})
        id_ = made.info.run_id
        for tag, text in tags.items():
            self._client.set_tag(id_, tag, self._clean(text))
        for param, value in params.items():
            if param not in made.data.params:  # a parameter cannot be written twice
                self._client.log_param(id_, param, self._clean(str(value))[:_LONGEST])
        return SentRun(name, id_, bool(found))


def metrics_of(system: SystemSummary) -> dict[str, float]:
    """Return the figures of a system that are known, by MLflow's names for them; shares are of 1, costs US dollars."""
    scores, cost = system.scores, system.cost
    names = ("accuracy", "macro_f1", "macro_precision", "macro_recall", "roc_auc", "points", "unparsed", "errors")
    found: dict[str, float | None] = {name: getattr(scores, name, None) for name in names}
    for name in ("accuracy", "macro_f1", "roc_auc"):
        low, high = getattr(system, f"{name}_interval") or (None, None)
        found |= {f"{name}_low": low, f"{name}_high": high}
    found["latency_p50_s"] = scores.latency_p50_s if scores else None
    found |= {name: getattr(cost, name) for name in ("fixed_usd", "usd_per_query", "usd_per_correct", "usd")}
    return {name: float(value) for name, value in found.items() if value is not None}


def flat(fields: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    """Write nested fields as one row: {"training": {"epochs": 3}} as training.epochs."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


@contextmanager
def _faults_in_one_line() -> Iterator[None]:
    from importlib.util import find_spec

    if find_spec("mlflow") is None:
        raise MissingResourceError("MLflow is not installed; run: pip install mlflow, or mlflow-skinny for a server")
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise MissingResourceError(f"MLflow: {mentioned(str(error))}") from error
    except ImportError as error:  # of a store that mlflow-skinny lacks
        raise MissingResourceError(
            f"MLflow's own store needs the whole of it ({error}); pip install mlflow, or name a server with "
            "MLFLOW_TRACKING_URI"
        ) from error
