"""What a script hands over itself where a suite would name it: items in memory, and systems that are objects.

A script's arguments come in; out come a suite like any other, and beside it the items and the predictors that it names.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.registry import benchmark, check_items
from data.types import Benchmark, Item
from eval.plan.matrix import is_several
from eval.plan.own_answers import Object, as_runnable
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.rundir.names import plain_name

OwnSystems = Mapping[str, SystemSpec | Mapping[str, Any] | Object]
Made = TypeVar("Made", bound=BaseModel)

NAME = "items"  # of the benchmark, where the script gives none
SPLIT = "given"


class OwnParts(NamedTuple):
    """What a script gives; a run of a suite that names everything has none of it.

    Attributes:
        items: The items of the suite's one evaluation; empty: they are loaded by the benchmark's name.
        train: What its systems may learn from.
        systems: Its objects, by the names of the suite's systems.
    """

    items: Sequence[Item] = ()
    train: Sequence[Item] = ()
    systems: Mapping[str, Object] = {}

    def described(self, name: str) -> Benchmark:
        """Return the metadata of the items: those of the benchmark that they are of, or what they show themselves.

        Raises:
            ConfigurationError: The items have other labels than that benchmark.
        """
        choices = {item.choices for item in self.items}
        shared = self.items[0].choices if len(choices) == 1 else None
        if name == NAME:
            return _metadata(shared)
        about = benchmark(name)
        if about.labels is not None and about.labels != shared:
            found = ", ".join(next(iter(choices - {about.labels})))
            raise ConfigurationError(
                f"the labels of {name} are {', '.join(about.labels)}, those of an item {found}; leave benchmark out"
            )
        return about


def _metadata(labels: tuple[str, ...] | None) -> Benchmark:
    return Benchmark(
        name=NAME,
        title="items that a script gave",
        language="und",  # undetermined
        labels=labels,
        splits=(SPLIT,),
        default_split=SPLIT,
        sample_split=SPLIT,
        source="a script",
        licence="unknown",
        citation="none",
    )


def own_suite(
    source: str | Path | Sequence[Item],
    systems: OwnSystems | None,
    *,
    benchmark: str | None,
    train: Sequence[Item],
    seed: int,
    evaluation: Mapping[str, object],
) -> tuple[Suite, OwnParts]:
    """Make a suite of one evaluation out of what a script gives, as `eval.api.evaluate` takes it.

    Args:
        source: A benchmark's name, or items.
        systems: Who answers, by name.
        benchmark: That the items are of; None: of none that is known.
        train: Items that systems may learn from.
        seed: The seed of the suite.
        evaluation: Other fields of its `EvaluationSpec`, None where the script says nothing.

    Raises:
        ConfigurationError: An argument is not usable, or does not go with the others.
    """
    if not systems:
        raise ConfigurationError("nobody is to answer; give systems={'majority': {'baseline': 'majority'}, …}")
    objects = {name: as_runnable(f"system '{name}'", one) for name, one in systems.items() if not _is_settings(one)}
    specs = tuple(
        {**one, "name": name} if isinstance(one, Mapping) and is_several(one) else _spec(name, one, objects.get(name))
        for name, one in systems.items()
    )
    given = {name: value for name, value in evaluation.items() if value is not None}
    if isinstance(source, str | Path):
        refuse("a benchmark's name", benchmark=benchmark, train=train)
        name, own = str(source), OwnParts(systems=objects)
    else:
        refuse("a list of items", **evaluation)
        name, own = benchmark or NAME, OwnParts(_items(source), _items(train), objects)
        check_items(own.items, "the list of items")
        given["split"] = SPLIT
    entry = _made(EvaluationSpec, "evaluation", benchmark=name, systems=specs, **given)
    return _made(Suite, "suite", name=plain_name(name), seed=seed, evaluations=(entry,)), own


def refuse(what: str, **given: object) -> None:
    """Refuse the arguments that were given and do not go with what is asked.

    Raises:
        ConfigurationError: There is one.
    """
    if wrong := [name for name, value in given.items() if value]:
        raise ConfigurationError(f"{wrong[0]} does not go with {what}; leave it out")


def _is_settings(system: object) -> bool:
    return isinstance(system, SystemSpec | Mapping)


def _spec(name: str, system: object, given: Object | None) -> SystemSpec:
    if given is not None:
        settings: Mapping[str, Any] = {"runnable": given.get_name()}
    elif isinstance(system, SystemSpec):
        settings = {field: getattr(system, field) for field in system.model_fields_set}
    else:
        settings = dict(system)  # type: ignore[call-overload]  # `_is_settings`
    return _made(SystemSpec, f"system '{name}'", **{**settings, "name": name})


def _made(kind: type[Made], what: str, **fields: Any) -> Made:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(f"{what}: {first_fault(error)}") from None


def _items(given: object) -> tuple[Item, ...]:
    if not isinstance(given, Sequence):
        raise ConfigurationError(f"{type(given).__name__} is no list of items; give a list of eval.api.Item")
    for place, item in enumerate(given, start=1):
        if not isinstance(item, Item):
            raise ConfigurationError(f"item {place} is of the type {type(item).__name__}; give a list of eval.api.Item")
    return tuple(given)
