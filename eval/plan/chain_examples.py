"""The labelled examples of a chain's entry, out of what its evaluation may learn from.

An entry and training items in; out come what finds an item's examples, and what the manifest says of it.
"""

from collections.abc import Sequence

from chains.examples import FindExamples, choose_fixed, example_passages
from data.types import Item
from eval.plan.suite import ExamplesSpec
from eval.rundir.description import ExamplesDescription


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
    if spec.select != "similar":
        described = ExamplesDescription(select=spec.select, n=spec.n)
        return FindExamples(
            items=by_id, n=spec.n, fixed=choose_fixed(train_items, select=spec.select, n=spec.n, seed=seed)
        ), described
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
