"""The labelled examples of a chain's entry, out of what its evaluation may learn from or a file of the user's own.

An entry and training items in; out come what finds an item's examples, and what the manifest says of it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from chains.examples import FindExamples, Select, choose_fixed, example_passages
from data.common.errors import ConfigurationError
from data.example_rows import read_example_rows
from data.registry import fingerprint
from data.types import Item
from eval.plan.context import Context
from eval.plan.examples_spec import ExamplesSpec
from eval.rundir.description import ExamplesDescription

_DRAWN: tuple[Select, ...] = get_args(Select)


def examples_of_file(spec: ExamplesSpec, path: Path, context: Context) -> tuple[FindExamples, ExamplesDescription]:
    """Return the examples of a file of the user's own, which every item is shown in the file's order.

    Raises:
        ConfigurationError: The items do not share their labels, or a row is no example of their task.
        MissingResourceError: There is no such file.
    """
    labels = context.benchmark.labels
    if labels is None:
        raise ConfigurationError(f"examples {path}: {context.benchmark.name} has choices of its own for each item")
    rows = read_example_rows(path, texts=list(context.items[0].inputs), labels=labels)
    n = min(spec.n, len(rows)) if "n" in spec.model_fields_set else len(rows)
    described = ExamplesDescription(select=path.name, n=n, rows_fingerprint=fingerprint(rows))
    return FindExamples(items={row.id: row for row in rows}, n=n, fixed=tuple(row.id for row in rows)), described


def find_examples(
    spec: ExamplesSpec, train_items: Sequence[Item], *, seed: int
) -> tuple[FindExamples, ExamplesDescription]:
    """Return what finds an item's examples, and its description.

    Args:
        spec: Which examples are shown.
        train_items: What they are chosen from; none of it is evaluated.
        seed: The seed of the run: it draws the examples that are the same for every item.

    Raises:
        ConfigurationError: As `retrievers.registry.build_retriever`.
        MissingResourceError: Likewise.
    """
    from retrievers.index_files import cached_indexes
    from retrievers.registry import build_retriever

    by_id = {item.id: item for item in train_items}
    if (way := next((one for one in _DRAWN if one == spec.select), None)) is not None:
        fixed = choose_fixed(train_items, select=way, n=spec.n, seed=seed)
        return FindExamples(items=by_id, n=spec.n, fixed=fixed), ExamplesDescription(select=spec.select, n=spec.n)
    retriever = build_retriever(
        spec.retriever,
        example_passages(train_items),
        k=spec.n,
        embeddings=spec.embeddings,
        index_dir=cached_indexes(),
        chunk=False,
    )
    more = {"embeddings": spec.embeddings} if spec.embeddings else {}
    described = ExamplesDescription(select=spec.select, n=spec.n, retriever=spec.retriever, **more)
    return FindExamples(items=by_id, n=spec.n, retriever=retriever), described
