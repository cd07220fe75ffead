"""Every benchmark and every retrieval set by name: a line here is all that a new one needs beside its module.

In comes a name; out come items, ready to be asked. A benchmark's module is imported when it is first used.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from data.card import SHIPPED, TaskCard, is_task, task_source
from data.common.attributes import import_own, is_module, load_attribute
from data.common.errors import ConfigurationError, ProjectError, system_fault, unknown_name
from data.common.parsing import JsonObject
from data.common.progress import log
from data.common.text import character_fault, one_line
from data.hub_name import HubName, is_hub_name
from data.retrieval_sets import RetrievalSet
from data.types import Benchmark, Item

if TYPE_CHECKING:
    from data.task import LabelledRow

# A benchmark's module has `BENCHMARK` and `load(split, path) -> list[Item]`; where its items are rows of a file, `load`
# may take `skip_bad_rows` too.
BENCHMARKS: dict[str, str] = {
    "kice": "data.kice",
    "mnli": "data.mnli",
}

# A retrieval set's function takes a path, or None for its default place, and returns a `RetrievalSet`.
RETRIEVAL_SETS: dict[str, str] = {
    "jsonl": "data.retrieval_sets:load_jsonl",
    "kice": "data.kice:load_retrieval",
    "kice-question": "data.kice:load_question_retrieval",
    "korquad": "data.korquad:load_retrieval",
}


class BenchmarkSource(Protocol):
    """What a benchmark is loaded from: a module, or a task that is made of a user's file."""

    BENCHMARK: Benchmark
    load: Callable[..., Iterable[Item]]


def benchmark(name: str, *, card: Mapping[str, Any] | None = None) -> Benchmark:
    """Return a benchmark's metadata.

    Args:
        name: A name of `BENCHMARKS`, a file or card of labelled rows (see `data.task`), or an importable module of your
            own that has `BENCHMARK` and `load`.
        card: Fields of a task's card, over what the file's own card says; only for a file or card of labelled rows.

    Raises:
        ConfigurationError: There is no such benchmark, or it takes no card.
    """
    metadata: Benchmark = _benchmark_module(name, card).BENCHMARK
    return metadata


def repeatable(name: str) -> str:
    """Return a benchmark's name as one that means the same items for ever: of a data set on the hub, with its commit.

    Raises:
        ConfigurationError: See `data.hub_tables.pinned`.
        MissingResourceError: See there.
    """
    if not is_hub_name(name):
        return name
    from data.hub_tables import pinned

    return str(pinned(HubName.parse(name)))


def task_card(name: str, *, card: Mapping[str, Any] | None = None) -> TaskCard | None:
    """Return the card of a task of the user's own, with what was guessed; None for another benchmark."""
    return _task(name, card).full_card if name not in BENCHMARKS and is_task(name) else None


def task_passages(name: str, *, card: Mapping[str, Any] | None = None) -> Path | None:
    """Return where the passages of a task of the user's own are; None where they are the items', as of a benchmark."""
    is_own = name not in BENCHMARKS and is_task(name)
    passages: Path | None = _task(name, card).passages if is_own else None
    return passages


def labelled_rows(name: str, *, card: Mapping[str, Any] | None = None) -> "list[LabelledRow]":
    """Return every row of the file that a task of the user's own learns from, in its order, with its place.

    Args:
        name: A file or card of labelled rows.
        card: As for `benchmark`.

    Raises:
        ConfigurationError: It is no such file, or cannot be used.
        MissingResourceError: It is not there.
    """
    if name in BENCHMARKS or not is_task(name):
        raise ConfigurationError(f"'{name}' is no labelled file (CSV, JSON Lines, Parquet …), folder or card")
    rows: list[LabelledRow] = _task(name, card).rows
    return rows


def load_items(
    name: str,
    *,
    split: str | None = None,
    path: Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    skip_bad_rows: bool = False,
    card: Mapping[str, Any] | None = None,
) -> list[Item]:
    """Return a benchmark's items, in the order of their source.

    Args:
        name: As for `benchmark`.
        split: None is the benchmark's default split.
        path: A local file or folder in place of the benchmark's own.
        limit: At most so many items: the first ones, or a seeded sample where `seed` is given.
        seed: Makes `limit` a random sample, kept in the original order; the same seed gives the same items.
        skip_bad_rows: Leave out malformed rows of a file, and say how many, where the benchmark can.
        card: As for `benchmark`.

    Raises:
        ConfigurationError: Unknown benchmark or split, no items, an id that occurs more than once, or a benchmark
            that skips no rows is to.
        MissingResourceError: The data is not there.
    """
    module = _benchmark_module(name, card)
    if split is not None and split not in module.BENCHMARK.splits:
        raise unknown_name(f"split of {name}", split, module.BENCHMARK.splits)
    if limit is not None and limit < 1:
        raise ConfigurationError(f"limit {limit} leaves no items; allowed: 1 or more")
    more = {"skip_bad_rows": True} if skip_bad_rows else {}
    if more and "skip_bad_rows" not in signature(module.load).parameters:
        raise ConfigurationError(f"'{name}' leaves out no malformed rows: its items are not rows of a file")
    items = _loaded(module, name, split, path, more)
    check_items(items, str(path or name), empty=str(path or f"{name} {split or module.BENCHMARK.default_split}"))
    if limit is None or limit >= len(items):
        return items
    if seed is None:
        return items[:limit]
    chosen = sorted(random.Random(seed).sample(range(len(items)), limit))  # noqa: S311 -- repeatable, not secret
    return [items[index] for index in chosen]


def check_items(items: Sequence[Item], source: str, *, empty: str = "") -> None:
    """Refuse items that cannot be asked together.

    Args:
        items: The items of one split.
        source: Where they come from, for the message.
        empty: What it is called where it holds none; "": as otherwise.

    Raises:
        ConfigurationError: There are none, a text of one is no text, or an id occurs more than once.
    """
    if not items:
        raise ConfigurationError(f"{empty or source} holds no items")
    for place, item in enumerate(items, start=1):
        texts = (item.id, item.group, *item.inputs, *item.inputs.values(), *item.choices, *item.tags)
        if fault := next(filter(None, map(character_fault, texts)), None):
            raise ConfigurationError(f"{source}: item {place} {fault}")
    repeated = [item_id for item_id, count in Counter(item.id for item in items).items() if count > 1]
    if repeated:
        raise ConfigurationError(f"{source}: {len(repeated)} item ids occur more than once, first '{repeated[0]}'")


def _loaded(
    module: BenchmarkSource, name: str, split: str | None, path: Path | None, more: Mapping[str, Any]
) -> list[Item]:
    """Return what a benchmark's module loads, which may be the user's own code."""
    try:
        items = list(module.load(split, path, **more))
    except ProjectError:
        raise
    except (Exception, SystemExit) as error:
        reason = system_fault(error) or f"{type(error).__name__}: {one_line(error)}"
        raise ConfigurationError(f"benchmark '{name}' cannot be loaded: {reason}") from error
    for place, item in enumerate(items, start=1):
        if not isinstance(item, Item):
            raise ConfigurationError(f"benchmark '{name}': its load returned a {type(item).__name__} as item {place}")
    return items


def fingerprint(items: Sequence[Item]) -> str:
    """Return the SHA-256 (hex) over the items as canonical JSON, one a line: equal exactly for equal items."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(fingerprint_line(item.model_dump(mode="json")))
    return digest.hexdigest()


def fingerprint_line(item: JsonObject) -> bytes:
    """Return what the fingerprint is made of, of one item that was dumped as JSON."""
    return _CANONICAL.encode(item).encode() + b"\n"


_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def retrieval_set(name: str, path: Path | None = None) -> RetrievalSet:
    """Return queries, the passages they are looked up in, and which ones they should find.

    Args:
        name: A name of `RETRIEVAL_SETS`, or `module:function` of your own.
        path: The set's file or folder; None is its default place, where it has one.

    Raises:
        ConfigurationError: There is no such retrieval set, or its file is malformed.
        MissingResourceError: The data is not there.
    """
    reference = RETRIEVAL_SETS.get(name, name)
    if ":" not in reference:
        raise unknown_name("retrieval set", name, RETRIEVAL_SETS, "Or name your own as module:function.")
    function: Callable[[Path | None], RetrievalSet] = load_attribute(reference, kind="retrieval set")
    return function(path)


_TASKS: dict[str, Any] = {}  # by name and card


def keep_task(name: str, card: Mapping[str, Any] | None, task: Any) -> None:
    """Have a task that was opened, and whose notes were said, stand for its name and card."""
    _TASKS[_key(name, card)] = task


def _key(name: str, card: Mapping[str, Any] | None) -> str:
    return json.dumps([name, card or {}], sort_keys=True, default=str)


def _task(name: str, card: Mapping[str, Any] | None) -> Any:
    """Open a task of the user's own, once for as long as its files stay what they are, and say what was guessed."""
    from data.task import open_task
    from data.task_check import label_counts, label_findings

    key = _key(name, card)
    task = _TASKS.get(key)
    if task is None or not task.is_current():
        task = _TASKS[key] = open_task(task_source(name), **(card or {}))
        counts = label_counts(task.labels or (), task.load("train", None), task.load("test", None))
        for note in (*task.notes, *label_findings(counts)):
            log(f"{name}: {note}")
    return task


def _benchmark_module(name: str, card: Mapping[str, Any] | None = None) -> BenchmarkSource:
    if name not in BENCHMARKS and is_task(name):
        source: BenchmarkSource = _task(name, card)
        return source
    if card:
        raise ConfigurationError(f"'{name}' is no labelled file: --{next(iter(card)).replace('_', '-')} goes with one")
    hint = "Or name a file of labelled rows, or a module of your own that has BENCHMARK and load(split, path)."
    module_name = BENCHMARKS.get(name, name.removesuffix(":BENCHMARK"))
    if not is_module(module_name):
        raise unknown_name("benchmark", name, [*BENCHMARKS, *SHIPPED], hint)
    module = import_own(module_name, kind="benchmark", name=name)
    if not isinstance(getattr(module, "BENCHMARK", None), Benchmark) or not callable(getattr(module, "load", None)):
        raise unknown_name("benchmark", name, [*BENCHMARKS, *SHIPPED], hint)
    own: BenchmarkSource = cast(BenchmarkSource, module)
    return own
