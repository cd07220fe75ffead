"""Has a dataset hold a run's items, and an experiment stand there for each system; what is there is left as it is.

An evaluation of a manifest and its items in; out come the ids of the dataset and of the experiments.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from langsmith import Client
from langsmith.schemas import Dataset, ExampleCreate
from langsmith.utils import LangSmithConflictError, LangSmithNotFoundError

from data.common.errors import ConfigurationError
from data.common.parsing import whole_strings
from data.common.secrets import make_redactor
from data.common.text import whole_characters
from data.types import Item
from eval.execution.experiments.ids import example_id, experiment_name, item_fingerprint
from eval.execution.experiments.note import Experiment, OpenedEvaluation
from eval.rundir.manifest import Evaluation, Manifest
from eval.rundir.names import plain_name

Clean = Callable[[Any], Any]


class RunOfItems(NamedTuple):
    """What of a run its datasets and experiments are named after.

    Attributes:
        name: The name of the run's folder.
        dataset: The name that the user gave; None: one after the benchmark and its split.
    """

    name: str
    manifest: Manifest
    dataset: str | None

    def dataset_of(self, evaluation: Evaluation) -> str:
        """Return the name of an evaluation's dataset; each of several evaluations has its own."""
        items = f"{plain_name(evaluation.benchmark)}-{plain_name(evaluation.split)}"
        if self.dataset is None:
            return items
        return self.dataset if len(self.manifest.evaluations) == 1 else f"{self.dataset}-{items}"


def make_cleaner() -> Clean:
    """Return a function that makes JSON of any value, without secrets; an item comes out as its journal holds it."""
    redact = make_redactor()
    return lambda value: whole_strings(value, clean=lambda part: redact(whole_characters(part)))


def open_evaluation(
    client: Client, run: RunOfItems, name: str, evaluation: Evaluation, items: Sequence[Item], clean: Clean
) -> OpenedEvaluation:
    """Make what is missing of an evaluation's dataset, which has this name, and of its experiments.

    Raises:
        LangSmithError: A request failed.
        ConfigurationError: The dataset holds the items of another benchmark.
    """
    dataset = _dataset(client, name, evaluation)
    _add_examples(client, dataset, evaluation, items, clean)
    experiments = {
        system: _experiment(client, run, evaluation, system, dataset, clean) for system in evaluation.systems
    }
    return OpenedEvaluation(
        dataset=name,
        dataset_id=dataset.id,
        fingerprint=evaluation.fingerprint,
        n_examples=len(items),
        experiments=experiments,
    )


def _dataset(client: Client, name: str, evaluation: Evaluation) -> Dataset:
    about = {"benchmark": evaluation.benchmark, "split": evaluation.split, "fingerprint": evaluation.fingerprint}
    try:
        found: Dataset = client.read_dataset(dataset_name=name)
    except LangSmithNotFoundError:
        try:
            made: Dataset = client.create_dataset(
                name, description=f"{about['benchmark']}, {about['split']}", metadata=about
            )
            return made
        except LangSmithConflictError:  # somebody else has just made it
            found = client.read_dataset(dataset_name=name)
    holds = (found.metadata or {}).get("benchmark", evaluation.benchmark)
    if holds != evaluation.benchmark:
        raise ConfigurationError(f"dataset '{name}' in LangSmith holds items of {holds}; give another name")
    return found


def _add_examples(
    client: Client, dataset: Dataset, evaluation: Evaluation, items: Sequence[Item], clean: Clean
) -> None:
    examples = {one.id: one for one in (_example(dataset.id, evaluation, item, clean) for item in items)}
    if dataset.example_count != 0:
        there = {one.id for one in client.list_examples(dataset_id=dataset.id, select=["id", "dataset_id"])}
        examples = {id_: one for id_, one in examples.items() if id_ not in there}
    if examples:
        client.create_examples(dataset_id=dataset.id, examples=list(examples.values()))


def fingerprint_of(item: Item, clean: Clean) -> str:
    """Return the fingerprint of an item without secrets."""
    return item_fingerprint(clean(item.model_dump(mode="json")))


def examples_of(opened: OpenedEvaluation, items: Sequence[Item], clean: Clean) -> dict[str, UUID]:
    """Return the id of each item's example, by the item's id."""
    return {item.id: example_id(opened.dataset_id, fingerprint_of(item, clean)) for item in items}


def _example(dataset: UUID, evaluation: Evaluation, item: Item, clean: Clean) -> ExampleCreate:
    cleaned = clean(item.model_dump(mode="json"))
    fingerprint = item_fingerprint(cleaned)
    about = {name: cleaned[name] for name in ("group", "tags", "weight")}
    return ExampleCreate(
        id=example_id(dataset, fingerprint),
        inputs=clean(item.to_input()),
        reference_outputs={"answer": cleaned["choices"][item.target], "choice": item.target},
        metadata={
            "item_id": cleaned["id"],
            "benchmark": evaluation.benchmark,
            "split": evaluation.split,
            "fingerprint": fingerprint,
            **about,
        },
        split=evaluation.split,
    )


def _experiment(
    client: Client, run: RunOfItems, evaluation: Evaluation, system: str, dataset: Dataset, clean: Clean
) -> Experiment:
    name = experiment_name(run.name, system, dataset.name, run.manifest, evaluation)
    about = {
        "run": run.name,
        "system": system,
        "benchmark": evaluation.benchmark,
        "split": evaluation.split,
        "fingerprint": evaluation.fingerprint,
        "seed": run.manifest.seed,
        "git_commit": run.manifest.git_commit,
        **clean(run.manifest.systems[system].model_dump(mode="json", exclude_none=True)),
    }
    made = client.create_project(name, reference_dataset_id=dataset.id, metadata=about, upsert=True)
    return Experiment(name=name, id=made.id)
