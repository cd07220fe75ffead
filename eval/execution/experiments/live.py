"""The experiments of a run that goes on: its traces are their runs, and its scores follow when it has ended.

    begin ─ a thread makes the dataset and the experiments ─ ready ─┐
    traces ─ held back until then ──────────────────────────────────┴─ sent as the experiments' runs
    send ─ when the run has ended: scores, and answers that were not traced

The run waits for none of that: LangSmith is waited for at its end alone, while it answers quickly.
"""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Any, NamedTuple
from uuid import UUID

from data.common.errors import ConfigurationError, ProjectError
from data.common.progress import log
from eval.execution.experiments.client import ExperimentClient, faults_in_one_line, said_fault
from eval.execution.experiments.dataset import RunOfItems, examples_of, make_cleaner, open_evaluation
from eval.execution.experiments.note import Experiment, Note, OpenedEvaluation, SentAnswer
from eval.execution.experiments.send import send_run
from eval.execution.langsmith_client import sdk_heard
from eval.execution.trace_client import MOST_QUEUED, PATIENCE_S, TraceClient
from eval.plan.planning import Plan
from eval.rundir.manifest import read_manifest
from eval.rundir.names import MANIFEST_FILE

_LOOK_S = 0.02


class Place(NamedTuple):
    """Where a system's traces belong: its experiment, and for each item's id the id of its example."""

    experiment: Experiment
    examples: Mapping[str, UUID]


class ExperimentTraces(TraceClient):
    """Sends traces as the runs of experiments; until it is known where they belong, they are held back.

    The trace of an attempt that failed is the experiment's too, but belongs to no example: its item is asked again, or
    has no answer.
    """

    def __init__(self, keep: Callable[[SentAnswer], None]) -> None:
        self._keep = keep
        self._held: list[Callable[[], None]] | None = []
        self._held_lock = Lock()
        self._places: Mapping[str, Place] | None = None
        self._of_trace: dict[str, Place] = {}
        super().__init__()

    def create_run(self, *arguments: Any, **run: Any) -> None:
        trace = str(run.get("trace_id"))
        self._in_turn(partial(self._begin_run, arguments, run), is_first=str(run.get("id")) == trace)

    def update_run(self, run_id: Any, *arguments: Any, **run: Any) -> None:
        self._in_turn(partial(self._end_run, run_id, arguments, run))

    def _in_turn(self, send: Callable[[], None], *, is_first: bool = False) -> None:
        with self._held_lock:
            if self._held is not None:
                if is_first and len(self._held) >= MOST_QUEUED:  # without its beginning, all of the trace is left out
                    self.begun, self._left_out = self.begun + 1, self._left_out + 1
                else:
                    self._held.append(send)
                return
        send()

    def place(self, places: Mapping[str, Place] | None) -> None:
        """Send what was held back, and all that follows, to where it belongs by its system; None: nowhere."""
        self._places = places
        while True:
            with self._held_lock:
                held, self._held = self._held or [], []
                if not held or places is None:
                    self._held = None
                    return
            for send in held:
                send()

    def heard(self, message: str) -> None:
        """Leave what the SDK logs before anything is sent to who opens the experiments."""
        if self._places is not None:
            super().heard(message)

    def _begin_run(self, arguments: tuple[Any, ...], run: dict[str, Any]) -> None:
        trace = str(run.get("trace_id"))
        if str(run.get("id")) == trace and self._places is not None:
            about = (run.get("extra") or {}).get("metadata") or {}
            if (place := self._places.get(about.get("system", ""))) is not None:
                self._of_trace[trace] = place
        if (place := self._of_trace.get(trace)) is not None:
            super().create_run(*arguments, **{**run, "session_name": place.experiment.name})

    def _end_run(self, run_id: Any, arguments: tuple[Any, ...], run: dict[str, Any]) -> None:
        trace = str(run.get("trace_id"))
        if (place := self._of_trace.get(trace)) is None:
            return
        run = {**run, "session_name": place.experiment.name}
        if str(run_id) == trace:
            del self._of_trace[trace]
            item = ((run.get("extra") or {}).get("metadata") or {}).get("item_id", "")
            if not run.get("error") and (example := place.examples.get(item)) is not None:
                run["reference_example_id"] = example
                if trace not in self._leaving_out:
                    self._keep(SentAnswer(experiment=place.experiment.name, item=item, run=UUID(trace)))
        super().update_run(run_id, *arguments, **run)


class RunExperiments:
    """The experiments of one run that goes on.

    Args:
        run_dir: The run's folder, which the run makes.
        dataset: The dataset's name.

    Raises:
        ConfigurationError: The name is empty, or a variable that the SDK reads has no usable value.
        MissingResourceError: There is no key.
    """

    def __init__(self, run_dir: Path, dataset: str) -> None:
        if not dataset.strip():
            raise ConfigurationError("a dataset in LangSmith needs a name; give one with --langsmith-dataset")
        self._run_dir, self._dataset = run_dir, dataset
        self._client = ExperimentClient(sends_runs=False)
        self._traces: ExperimentTraces | None = None
        self._traced: set[str] = set()  # runs whose traces were sent by this process
        self._note: Note | None = None
        self._lock = Lock()
        self._opened: list[OpenedEvaluation] | None = None
        self._is_given_up = False

    def traces(self) -> ExperimentTraces:
        """Return the client that sends the run's traces."""
        self._traces = ExperimentTraces(self._keep)
        return self._traces

    def _keep(self, line: SentAnswer) -> None:
        self._traced.add(str(line.run))
        if self._note is not None:
            with suppress(ProjectError):  # a full disk stops the run, but not from here
                self._note.add(line)

    @contextmanager
    def opened(self, planned: Plan, *, resume: bool) -> Iterator[None]:
        """Have a thread open the experiments while the run goes on inside; it is waited for while it comes forward.

        Args:
            planned: The run's plan.
            resume: The folder holds a run that goes on.
        """
        if not resume and (self._run_dir / MANIFEST_FILE).exists():
            yield  # the run refuses it
            return
        manifest = read_manifest(self._run_dir) if resume else planned.manifest
        run = RunOfItems(self._run_dir.resolve().name, manifest, self._dataset)
        with Note(self._run_dir) as note:
            self._note = note
            opening = Thread(target=self._open, args=(run, planned, note), daemon=True)
            opening.start()
            try:
                yield
                self._wait(opening)
            finally:
                self._note = None  # what ends later is not waited for
            if self._opened is not None:
                note.add(*self._opened)

    def _wait(self, opening: Thread) -> None:
        """Wait until the experiments are open and the traces that were held back are on their way."""
        while opening.is_alive() and not self._is_given_up:
            asked_at = self._client.asked_at
            waited_s = 0.0 if asked_at is None else time.monotonic() - asked_at
            if max(waited_s, self._client.longest_s) >= PATIENCE_S:
                self._give_up(f"LangSmith at {self._client.api_url} is slow")
            opening.join(_LOOK_S)

    def _open(self, run: RunOfItems, planned: Plan, note: Note) -> None:
        """Make the dataset and the experiments, and send the traces there."""
        opened: list[OpenedEvaluation] = []
        places: dict[str, Place] = {}
        clean = make_cleaner()
        try:
            with sdk_heard(self._client.heard):
                for evaluation, items, _ in planned.evaluations:
                    name = run.dataset_of(evaluation)
                    one = note.complete(name, evaluation)
                    one = one or open_evaluation(self._client, run, name, evaluation, items, clean)
                    opened.append(one)
                    examples = examples_of(one, items, clean)
                    places |= {system: Place(there, examples) for system, there in one.experiments.items()}
        except Exception as error:  # noqa: BLE001  # the SDK may raise anything of an answer that it did not expect
            self._give_up(said_fault(self._client, error))
            return
        with self._lock:
            if self._is_given_up:
                return
            self._opened = opened
        if self._traces is not None:
            self._traces.place(places)

    def _give_up(self, fault: str) -> None:
        """Say once that LangSmith shows nothing of the run, and how it will."""
        with self._lock:
            if self._is_given_up or self._opened is not None:
                return
            self._is_given_up = True
        log(f"LangSmith has no experiments of this run: {fault}; {self._later('sends all')} later")
        if self._traces is not None:
            self._traces.place(None)

    def _later(self, does: str) -> str:
        return f"python -m eval langsmith {self._run_dir} --dataset {shlex.quote(self._dataset)} {does}"

    def send(self) -> None:
        """Send the scores of the run, which has ended, and the answers that were not traced."""
        if self._opened is None:
            return  # which was said
        lost = self._traces.lost if self._traces is not None else set()
        arrived = self._traced - lost
        try:
            client = ExperimentClient(timeout_s=2 * PATIENCE_S)
            with faults_in_one_line(client):
                send_run(client, self._run_dir, self._dataset, has_arrived=arrived.__contains__)
        except ProjectError as error:
            log(f"LangSmith has not all scores of this run: {error}; {self._later('sends the rest')}")
