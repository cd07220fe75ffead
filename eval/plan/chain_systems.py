"""Chains as systems of a run: checked, given what they need, and joined with their model.

An entry and what its evaluation shares in, a `System` out; a dry run takes the chain without its model.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from data.types import Item
from eval.plan.chain_check import check_chain
from eval.plan.chain_examples import examples_of_file, find_examples
from eval.plan.chain_predictor import Predictor, chain_predictor
from eval.plan.chain_retriever import chain_retriever
from eval.plan.context import Context, Passages
from eval.plan.settings.specs import SystemSpec
from eval.plan.system import LOCAL_BATCH, RemoteModel, System, learnt_from
from eval.rundir.description import ChatModelDescription, SystemDescription

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from chains.prompt_files import Prompt
    from chains.registry import ChainEntry, Need


class PreparedChain(NamedTuple):
    """A chain whose every part but the model is there.

    Attributes:
        parts: Keyword arguments of the chain's factory: prompt, retriever.
        max_tokens: What the prompt allows for an answer; None for a chain without a prompt of the project's.
        several_calls: Whether it may ask its model several times for one item.
        labelled: Whether all items share their labels.
    """

    spec: SystemSpec
    needs_model: bool
    parts: dict[str, Any]
    description: SystemDescription
    max_tokens: int | None
    several_calls: bool
    labelled: bool

    def predictor(self, *, model: "BaseChatModel | None" = None, seed: int, **changes: Any) -> Predictor:
        """Make the chain.

        Args:
            model: None for a chain that needs none.
            seed: The run's seed.
            changes: Settings of the entry that are to have another value.
        """
        parts = self.parts if model is None else {**self.parts, "model": model}
        spec = self.spec.model_copy(update=changes)
        return chain_predictor(spec, parts, seed=seed, labelled=self.labelled)


def prepare_chain(spec: SystemSpec, context: Context) -> PreparedChain:
    """Check a chain's entry and make what it needs, apart from the model."""
    from chains.models.reply_schema import SCHEMA_TOKENS
    from chains.registry import chain_entry

    entry = chain_entry(str(spec.chain))
    check_chain(spec, entry, context.benchmark.name)
    described: dict[str, Any] = {"chain": spec.chain, "answering": spec.answering, "too_long": spec.too_long}
    more = ("permute", "votes", "candidates", "rung")
    described |= {name: value for name in more if (value := getattr(spec, name)) is not None}
    parts, max_tokens = _needed(entry.needs, context), None
    if (named := _prompt_name(spec, entry, context.benchmark.language)) is not None:
        prompt = _prompt(named, str(spec.chain), entry.prompt.partition("/")[0], context.items)
        max_tokens = prompt.answer.max_tokens + (SCHEMA_TOKENS if spec.answering == "structured" else 0)
        parts["prompt"] = named
        described |= {"prompt": prompt.id, "prompt_sha256": prompt.sha256, "answer_form": prompt.answer.form}
    looks_up = {"retriever", "passages"} & set(entry.needs)
    of_items = entry.rung == "shuffled"  # a passage is exchanged for that of other items, and not looked up
    passages = context.passages(of_items=of_items) if looks_up else Passages((), "")
    if "retriever" in entry.needs:
        parts["retriever"], described["retriever"] = chain_retriever(spec, passages)
    if "passages" in entry.needs:
        parts["passages"] = passages.texts
    if looks_up:
        described["pool_fingerprint"] = passages.fingerprint
    if spec.examples is not None and (path := spec.examples.file) is not None:
        parts["examples"], described["examples"] = examples_of_file(spec.examples, path, context)
    elif spec.examples is not None:
        train_items = context.train_items()
        parts["examples"], described["examples"] = find_examples(spec.examples, train_items, seed=context.seed)
        described |= learnt_from(train_items)
    if spec.candidates is not None:
        parts["candidates"] = spec.candidates
    labelled = context.benchmark.labels is not None
    description = SystemDescription(kind="chain", **described)
    needs_model = "model" in entry.needs
    return PreparedChain(spec, needs_model, parts, description, max_tokens, entry.several_calls, labelled)


def _needed(needs: Collection["Need"], context: Context) -> dict[str, Any]:
    """Return what a chain needs of its items and its run, by the names of its factory's parameters."""
    known: dict[Need, Callable[[], Any]] = {
        "seed": lambda: context.seed,
        "labels": lambda: context.benchmark.labels,
        "meanings": context.meanings,
    }
    return {need: make() for need, make in known.items() if need in needs}


def _prompt_name(spec: SystemSpec, entry: "ChainEntry", language: str) -> str | None:
    """Return the prompt that an entry asks for, or else its chain's own in the items' language; None for none."""
    from chains.prompt_files import in_language

    own = entry.example_prompt if spec.examples else entry.prompt
    return spec.prompt or (in_language(own, language) if own else None)


def chain_system(spec: SystemSpec, context: Context) -> System:
    """Build a system of a chain.

    Raises:
        ConfigurationError: A name or setting that cannot be used.
        MissingResourceError: A key, model or dataset that is not there.
    """
    from chains.models.specs import check_ready, describe_model, is_local, load_chat_model, reply_limit
    from chains.repeated import n_trials

    prepared = prepare_chain(spec, context)
    times = max(n_trials(len(item.choices), permute=spec.permute, votes=spec.votes) for item in context.items)
    several_calls = prepared.several_calls or times > 1
    # A model that a chain makes itself is taken for one over a network: it is to have retries and limits.
    model, description, local, limit, remote = None, prepared.description, False, None, None
    if prepared.needs_model:
        model = load_chat_model(
            str(spec.model),
            temperature=spec.temperature,
            max_tokens=spec.max_tokens or prepared.max_tokens,
            seed=context.seed,
            timeout=context.timeout_s,
            request=spec.request,
            max_retries=0,  # the run asks again itself, where it can be seen, and called off
        )
        check_ready(model)
        local, limit = is_local(model), reply_limit(model)
        if not local:
            remote = RemoteModel(model, lambda it: prepared.predictor(model=it, seed=context.seed))
        described = ChatModelDescription(spec=spec.model, **describe_model(model))
        description = description.model_copy(update={"model": described})
    predictor = prepared.predictor(model=model, seed=context.seed)
    batch_size = max(LOCAL_BATCH // times, 1) if local else None
    system = System(spec.name, description, batch_size, lambda _: predictor)
    return system._replace(reply_tokens=limit, several_calls=several_calls, remote=remote)


def _prompt(name: str, chain: str, family: str, items: Sequence[Item]) -> "Prompt":
    """Read a prompt; it may name what its chain makes for it, and the texts that every item has."""
    from chains.prompt_files import load_prompt
    from chains.registry import prompt_variables

    made = prompt_variables(chain)
    texts = set.intersection(*(set(item.inputs) for item in items)) if items else set()
    return load_prompt(name, variables=None if made is None else {*made, *texts}, benchmark=family)
