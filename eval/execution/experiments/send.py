"""Sends the answers of a run's journals to its experiments, with their scores as feedback; what is there is left out.

    journal ─ answered, and not there yet ─ run (unless it was traced) + feedback ─ flush ─ note

An item that failed has no answer, and so no run in the experiment.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from data.common.files import sole_writer
from data.common.parsing import JsonObject
from data.types import Item, Prediction, Record
from eval.execution.experiments.client import ExperimentClient
from eval.execution.experiments.dataset import Clean, RunOfItems, fingerprint_of, make_cleaner, open_evaluation
from eval.execution.experiments.ids import example_id, feedback_id, run_id
from eval.execution.experiments.note import Experiment, Note, OpenedEvaluation, SentAnswer
from eval.rundir.journal import latest_records, records_path
from eval.rundir.manifest import Evaluation
from eval.rundir.run_check import read_run

_AT_ONCE = 100  # answers: what is noted at once, and at most sent again after a fault


class SentExperiment(NamedTuple):
    """What of a system's answers is in LangSmith.

    Attributes:
        sent: Answers that were sent now.
        there: Answers that were there already.
        failed: Items without an answer, which are not sent.
    """

    system: str
    dataset: str
    experiment: str
    sent: int
    there: int
    failed: int


def send_run(
    client: ExperimentClient,
    run_dir: Path,
    dataset: str | None = None,
    *,
    has_arrived: Callable[[str], bool] = lambda run: False,
) -> list[SentExperiment]:
    """Send what of a run is not in LangSmith yet.

    Args:
        client: Sends it.
        run_dir: A run that was made, also one that is not complete, or was imported.
        dataset: The name of the dataset; None: the one that it was sent to last, or one after the benchmark.
        has_arrived: Says of the id of a run that was traced whether LangSmith has it.

    Raises:
        LangSmithError: A request failed; what was sent before is noted.
        ProjectError: The folder is no run or is in use, a journal is damaged, or the dataset holds other items.
    """
    manifest = read_run(run_dir)
    run = RunOfItems(run_dir.resolve().name, manifest, dataset)
    with sole_writer(run_dir), Note(run_dir) as note:
        sending = _Sending(
            client, run_dir, note, make_cleaner(), datetime.fromisoformat(manifest.started_utc), has_arrived
        )
        opened = [(one, sending.opened(run, one)) for one in manifest.evaluations]
        return [
            sending.send(evaluation, there, system) for evaluation, there in opened for system in evaluation.systems
        ]


class _Sending(NamedTuple):
    client: ExperimentClient
    run_dir: Path
    note: Note
    clean: Clean
    started: datetime
    has_arrived: Callable[[str], bool]

    def opened(self, run: RunOfItems, evaluation: Evaluation) -> OpenedEvaluation:
        """Return an evaluation's dataset and experiments, and make what is missing of them."""
        noted = [one.dataset for (_, of), one in self.note.opened.items() if of == evaluation.fingerprint]
        name = noted[-1] if run.dataset is None and noted else run.dataset_of(evaluation)
        if (complete := self.note.complete(name, evaluation)) is not None:
            return complete
        items: dict[str, Item] = {}
        for system in evaluation.systems:
            items |= {id_: record.item for id_, record in self._records(system).items()}
        opened = open_evaluation(self.client, run, name, evaluation, list(items.values()), self.clean)
        self.note.add(opened)
        return opened

    def _records(self, system: str) -> dict[str, Record]:
        return latest_records(records_path(self.run_dir, system))

    def send(self, evaluation: Evaluation, opened: OpenedEvaluation, system: str) -> SentExperiment:
        """Send a system's answers that are not there as they are now."""
        experiment, records = opened.experiments[system], list(self._records(system).values())
        sent = self.note.sent.get(experiment.name, {})
        answers = [(one, one.prediction) for one in records if one.prediction is not None]
        due = [(one, said) for one, said in answers if not _is_sent(sent.get(one.item.id), said)]
        for start in range(0, len(due), _AT_ONCE):
            lines = [self._send_one(*one, evaluation, opened, experiment) for one in due[start : start + _AT_ONCE]]
            self.client.sent()
            self.note.add(*lines)
        there, failed = len(answers) - len(due), len(records) - len(answers)
        return SentExperiment(system, opened.dataset, experiment.name, len(due), there, failed)

    def _send_one(
        self,
        record: Record,
        answer: Prediction,
        evaluation: Evaluation,
        opened: OpenedEvaluation,
        experiment: Experiment,
    ) -> SentAnswer:
        item = record.item
        noted = self.note.sent.get(experiment.name, {}).get(item.id)
        run = noted.run if noted else run_id(experiment.id, item.id, self.started)
        if noted is None or (noted.status is None and not self.has_arrived(str(run))):
            self.client.create_run(
                **self.clean(_as_run(record, answer, run, evaluation.benchmark)),
                **_times(record, run, self.started),
                project_name=experiment.name,
                reference_example_id=example_id(opened.dataset_id, fingerprint_of(item, self.clean)),
            )
        for key, score in scores(item, answer).items():
            self.client.create_feedback(
                run,
                key,
                trace_id=run,
                session_id=experiment.id,
                feedback_id=feedback_id(run, key),
                **score,
            )
        return SentAnswer(experiment=experiment.name, item=item.id, run=run, status=answer.status, choice=answer.choice)


def _is_sent(noted: SentAnswer | None, answer: Prediction) -> bool:
    return noted is not None and (noted.status, noted.choice) == (answer.status, answer.choice)


def scores(item: Item, answer: Prediction) -> dict[str, JsonObject]:
    """Return what is said of an answer, by key: right or not, points, how likely it was said to be, its status."""
    is_right = answer.choice == item.target
    said: dict[str, JsonObject] = {
        "correct": {"score": is_right},
        "points": {"score": item.weight if is_right else 0.0},
        "status": {"value": answer.status},
    }
    if answer.probs is not None and answer.choice is not None:
        said["confidence"] = {"score": answer.probs[answer.choice]}
    return said


def _as_run(record: Record, answer: Prediction, run: UUID, benchmark: str) -> JsonObject:
    """Return the run that stands for an answer that was not traced: what was asked, sent, found and said."""
    item, system = record.item, record.system
    about = record.model_dump(mode="json", include={"messages", "passages"}, exclude_defaults=True)
    said = None if answer.choice is None else item.choices[answer.choice]
    return {
        "id": str(run),
        "trace_id": str(run),
        "name": f"{system} {item.id}",
        "run_type": "chain",
        "inputs": item.to_input(),
        "outputs": {"answer": said, **answer.model_dump(mode="json", exclude_defaults=True), **about},
        "tags": [system, benchmark, item.id, *item.tags],
        "extra": {"metadata": {"system": system, "benchmark": benchmark, "item_id": item.id, "group": item.group}},
    }


def _times(record: Record, run: UUID, started: datetime) -> JsonObject:
    """Return when a run began and ended: with the whole run, for a record says how long it took but not when."""
    started = started.astimezone(UTC)
    return {
        "start_time": started,
        "end_time": started + timedelta(seconds=record.latency_s or 0.0),
        "dotted_order": f"{started:%Y%m%dT%H%M%S%fZ}{run}",
    }
