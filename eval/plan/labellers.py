"""What labels rows that nobody has labelled: a system of a run, of a suite, or a checkpoint, made ready to answer.

A run's folder and a system's name in, a `Labeller` out. What learns is fitted again, on the items it learnt from; an
encoder that the run trained is loaded; a cascade is its members with the thresholds that its run found.
"""

import json
import math
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chains.cascade import Cascade
from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.common.parsing import JsonObject
from data.types import Item
from eval.plan.chain_predictor import Predictor
from eval.plan.context import text_columns
from eval.plan.planning import PlannedEvaluation, plan
from eval.plan.settings.specs import Suite, SystemSpec
from eval.plan.suite import load_suite
from eval.plan.system import LOCAL_BATCH, System
from eval.rundir.description import SystemDescription
from eval.rundir.manifest import Manifest, read_manifest
from eval.rundir.names import THRESHOLDS_FILE

BATCH = 64  # texts handed over at once


class Labeller(NamedTuple):
    """A system that labels texts.

    Attributes:
        name: The system's.
        stages: The systems that are asked one after another, each open already; one, but for a cascade.
        thresholds: The probability from which each stage but the last answers alone.
        labels: The class names, in target order.
        columns: For each text of an item, by its name, the column of a file that holds it.
    """

    name: str
    stages: tuple[System, ...]
    thresholds: tuple[float, ...]
    labels: tuple[str, ...]
    columns: Mapping[str, str]

    def predictor(self) -> Predictor:
        """Return what answers the input of an item."""
        stages = tuple(stage.open(Path()) for stage in self.stages)
        return stages[0] if len(stages) == 1 else Cascade(stages=stages, thresholds=self.thresholds)

    def label(self, texts: Sequence[str | Mapping[str, str]]) -> list[str | None]:
        """Return the label of each text; None where the answer names none.

        Args:
            texts: Each a text, or where an item has several, the texts by their names.

        Raises:
            ConfigurationError: A text is missing.
        """
        inputs = [self._item(text, place).to_input() for place, text in enumerate(texts)]
        predictor, found = self.predictor(), []
        for start in range(0, len(inputs), BATCH):
            found += predictor.batch(inputs[start : start + BATCH])
        return [None if one.choice is None else self.labels[one.choice] for one in found]

    def item(self, item_id: str, inputs: Mapping[str, str]) -> Item:
        """Return texts as an item, whose target means nothing."""
        return Item(id=item_id, inputs=dict(inputs), choices=self.labels, target=0, group=item_id)

    def _item(self, text: str | Mapping[str, str], place: int) -> Item:
        names = tuple(self.columns)
        given = {names[0]: text} if isinstance(text, str) and len(names) == 1 else text
        if isinstance(given, str) or any(name not in given for name in names):
            raise ConfigurationError(f"text {place + 1} must have these by name: {', '.join(names)}")
        return self.item(f"new/{place}", {name: given[name] for name in names})


def labeller_of_run(run_dir: Path, name: str) -> Labeller:
    """Make a system of a run again.

    Raises:
        ConfigurationError: There is no such system, it answers questions with choices of their own, or what it is made
            of has changed since the run.
        MissingResourceError: A file, a key or a model is not there any more.
    """
    manifest = read_manifest(run_dir)
    if name not in manifest.systems:
        raise unknown_name("system", name, manifest.systems)
    members = tuple(manifest.systems[name].cascade or [name])
    suite, planned = _planned(Suite.model_validate(_as_written(manifest.suite)), {name, *members})
    built = {system.name: system for system in planned.systems}
    _check_unchanged(run_dir, manifest, built, members)
    stages = tuple(_opened(built[member], run_dir / member) for member in members)
    return _labeller(name, stages, _thresholds(run_dir / name) if len(stages) > 1 else (), suite, planned)


def labeller_of_suite(name_or_path: str, name: str | None) -> Labeller:
    """Make a system of a suite that has not run.

    Args:
        name_or_path: The suite.
        name: The system's; None: the only one that the suite has.

    Raises:
        ConfigurationError: There is no such system, or it has to be run first: what is trained in a run, or cascades.
        MissingResourceError: A file, a key or a model is not there.
    """
    suite = load_suite(name_or_path)
    specs = {one.name: one for spec in suite.evaluations for one in spec.systems}
    if name is None and len(specs) > 1:
        raise ConfigurationError(
            f"suite '{suite.name}' has several systems; say which with --system: {', '.join(specs)}"
        )
    chosen = name or next(iter(specs))
    if chosen not in specs:
        raise unknown_name("system", chosen, specs)
    if specs[chosen].finetune is not None or specs[chosen].cascade is not None:
        raise ConfigurationError(f"'{chosen}' is made in a run: run the suite, and label with --system RUN/{chosen}")
    suite, planned = _planned(suite, {chosen})
    (system,) = (one for one in planned.systems if one.name == chosen)
    return _labeller(chosen, (_opened(system, None),), (), suite, planned)


def labeller_of_checkpoint(checkpoint: str) -> Labeller:
    """Make a labeller of a fine-tuned encoder, whose labels and texts its folder names.

    Raises:
        ConfigurationError: It is no sequence classifier.
        MissingResourceError: It is not there.
    """
    from finetune.classifier import classifier_config, load_classifier
    from finetune.encoders import label_names

    labels = tuple(label_names(classifier_config(checkpoint)))
    predictor = load_classifier(checkpoint, labels=labels)
    description = SystemDescription(kind="checkpoint", checkpoint=checkpoint)
    system = System("checkpoint", description, LOCAL_BATCH, lambda _: predictor)
    return Labeller("checkpoint", (system,), (), labels, {field: field for field in predictor.text_fields})


def _labeller(
    name: str, stages: tuple[System, ...], thresholds: tuple[float, ...], suite: Suite, planned: PlannedEvaluation
) -> Labeller:
    choices = {item.choices for item in planned.items}
    if len(choices) > 1:
        raise ConfigurationError(f"'{name}' answers questions with choices of their own; it labels no texts")
    return Labeller(name, stages, thresholds, choices.pop(), text_columns(suite.evaluations[0], planned.items[0]))


def _opened(system: System, folder: Path | None) -> System:
    """Return a system that is open: a run's folder of it holds what the run trained."""
    if system.description.kind == "finetune" and folder is not None:
        if not (folder / "checkpoint").is_dir():
            raise ConfigurationError(f"{folder} has no checkpoint: the training did not end; go on with --resume")
        predictor = system.open(folder)
    else:
        with tempfile.TemporaryDirectory() as own:  # for what a system that is fitted writes down
            predictor = system.open(Path(own))
    return system._replace(open=lambda _: predictor)


def _check_unchanged(run_dir: Path, manifest: Manifest, built: Mapping[str, System], members: Collection[str]) -> None:
    for name in members:
        if built[name].description != manifest.systems[name]:
            raise ConfigurationError(
                f"what '{name}' is made of has changed since {run_dir}, such as the file it learnt from; run it again"
            )


def _thresholds(folder: Path) -> tuple[float, ...]:
    """Read the thresholds that a cascade's run found; of a stage that answers nothing alone, none is reached."""
    path = folder / THRESHOLDS_FILE
    try:
        found: list[Any] = json.loads(path.read_text(encoding="utf-8"))["thresholds"]
        return tuple(math.inf if one is None else float(one) for one in found)
    except FileNotFoundError:
        raise MissingResourceError(f"{path} is not there: the run has not ended; go on with --resume") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}; restore it") from None


def _planned(suite: Suite, names: Collection[str]) -> tuple[Suite, PlannedEvaluation]:
    """Plan the evaluation of systems with these alone, and their teachers: others may need what is not there any more.

    Returns:
        The suite with that evaluation alone, and its plan.
    """
    for spec in suite.evaluations:
        wanted = {one.name: one for one in spec.systems if one.name in names}
        if wanted:
            teachers = {one.labels_from for one in wanted.values()}
            chosen = tuple(one for one in spec.systems if one.name in wanted or one.name in teachers)
            alone = (spec.model_copy(update={"systems": chosen}),)
            suite = suite.model_copy(update={"evaluations": alone, "until_decided": False})
            return suite, plan(suite).evaluations[0]
    raise ValueError(f"no system of the suite is one of {sorted(names)}")


def _as_written(suite: JsonObject) -> JsonObject:
    """Return a manifest's suite without the defaults that it fills in: some go with other kinds of system alone."""
    fields = SystemSpec.model_fields

    def written(system: JsonObject) -> JsonObject:
        return {
            name: value
            for name, value in system.items()
            if name not in fields or value != fields[name].get_default(call_default_factory=True)
        }

    evaluations = [{**one, "systems": [written(system) for system in one["systems"]]} for one in suite["evaluations"]]
    return {**suite, "evaluations": evaluations}
