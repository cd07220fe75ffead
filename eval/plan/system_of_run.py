"""A system of a finished run, made again to answer new texts: what learns is fitted again, an encoder is loaded.

A run's folder and the system's name in, a `Labeller` out.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError, unknown_name
from data.common.parsing import JsonObject
from data.types import Item
from eval.plan.chain_predictor import Predictor
from eval.plan.planning import PlannedEvaluation, plan
from eval.plan.suite import Suite, SystemSpec
from eval.rundir.manifest import Manifest, read_manifest

BATCH = 64  # texts handed over at once


class Labeller(NamedTuple):
    """A system that labels texts.

    Attributes:
        predictor: Answers the input of an item.
        labels: The class names, in target order.
        names: What the texts of an item are called.
    """

    predictor: Predictor
    labels: tuple[str, ...]
    names: tuple[str, ...]

    def label(self, texts: Sequence[str | Mapping[str, str]]) -> list[str | None]:
        """Return the label of each text; None where the answer names none.

        Args:
            texts: Each a text, or where an item has several, the texts by their names.

        Raises:
            ConfigurationError: A text is missing.
        """
        inputs = [self._item(text, place).to_input() for place, text in enumerate(texts)]
        found = []
        for start in range(0, len(inputs), BATCH):
            found += self.predictor.batch(inputs[start : start + BATCH])
        return [None if one.choice is None else self.labels[one.choice] for one in found]

    def _item(self, text: str | Mapping[str, str], place: int) -> Item:
        given = {self.names[0]: text} if isinstance(text, str) and len(self.names) == 1 else text
        if isinstance(given, str) or any(name not in given for name in self.names):
            raise ConfigurationError(f"text {place + 1} must have these by name: {', '.join(self.names)}")
        inputs = {name: given[name] for name in self.names}
        return Item(id=f"new/{place}", inputs=inputs, choices=self.labels, target=0, group=f"new/{place}")


def system_of_run(run_dir: Path, name: str) -> Labeller:
    """Make a system of a run again.

    Raises:
        ConfigurationError: There is no such system, it answers questions with choices of their own, or what it is made
            of has changed since the run.
        MissingResourceError: A file, a key or a model is not there any more.
    """
    manifest = read_manifest(run_dir)
    planned = _planned(manifest, name)
    (system,) = [one for one in planned.systems if one.name == name]
    if system.description != manifest.systems[name]:
        raise ConfigurationError(
            f"what '{name}' is made of has changed since {run_dir}, such as the file it learnt from; run it again"
        )
    choices = {item.choices for item in planned.items}
    if len(choices) > 1:
        raise ConfigurationError(f"'{name}' answers questions with choices of their own; it labels no texts")
    trained = run_dir / name
    if system.description.kind == "finetune" and not (trained / "checkpoint").is_dir():
        raise ConfigurationError(f"{trained} has no checkpoint: the training did not end; go on with --resume")
    with tempfile.TemporaryDirectory() as folder:  # for what a system that is fitted writes down
        predictor = system.open(trained if system.description.kind == "finetune" else Path(folder))
    return Labeller(predictor, choices.pop(), tuple(planned.items[0].inputs))


def _planned(manifest: Manifest, name: str) -> PlannedEvaluation:
    """Plan the evaluation of a system with it alone, or its teacher: others may need what is not there any more."""
    suite = Suite.model_validate(_as_written(manifest.suite))
    for spec in suite.evaluations:
        own = next((one for one in spec.systems if one.name == name), None)
        if own is not None:
            chosen = tuple(one for one in spec.systems if one.name in (name, own.labels_from))
            alone = (spec.model_copy(update={"systems": chosen}),)
            return plan(suite.model_copy(update={"evaluations": alone, "until_decided": False})).evaluations[0]
    raise unknown_name("system", name, manifest.systems)


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
