"""Chains as systems of a run: checked, given what they need, and joined with their model.

An entry and what its evaluation shares in, a `System` out; a dry run takes the chain without its model.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from eval.plan.chain_check import check_chain
from eval.plan.chain_examples import find_examples
from eval.plan.chain_predictor import chain_predictor
from eval.plan.chain_retriever import chain_retriever
from eval.plan.context import Context, Passages
from eval.plan.suite import SystemSpec
from eval.plan.system import LOCAL_BATCH, RemoteModel, System, learnt_from
from eval.rundir.description import ChatModelDescription, SystemDescription

if TYPE_CHECKING:
    from chains.prompt_files import Prompt


class PreparedChain(NamedTuple):
    """A chain whose every part but the model is there.

    Attributes:
        parts: Keyword arguments of the chain's factory: prompt, retriever.
        max_tokens: What the prompt allows for an answer; None for a chain without a prompt of the project's.
        several_calls: Whether it may ask its model several times for one item.
    """

    spec: SystemSpec
    needs_model: bool
    parts: dict[str, Any]
    description: SystemDescription
    max_tokens: int | None
    several_calls: bool


def prepare_chain(spec: SystemSpec, context: Context) -> PreparedChain:
    """Check a chain's entry and make what it needs, apart from the model."""
    from chains.prompt_files import in_language
    from chains.registry import chain_entry

    entry = chain_entry(str(spec.chain))
    check_chain(spec, entry, context.benchmark.name)
    own_prompt = entry.example_prompt if spec.examples else entry.prompt
    parts: dict[str, Any] = {}
    described: dict[str, Any] = {"chain": spec.chain, "answering": spec.answering, "too_long": spec.too_long}
    described |= {name: value for name in ("permute", "votes") if (value := getattr(spec, name)) is not None}
    max_tokens = None
    if own_prompt:
        named = spec.prompt or in_language(own_prompt, context.benchmark.language)
        prompt = _prompt(named, own_prompt.partition("/")[0])
        max_tokens = prompt.answer.max_tokens
        parts["prompt"] = named
        described |= {"prompt": prompt.id, "prompt_sha256": prompt.sha256, "answer_form": prompt.answer.form}
    looks_up = {"retriever", "passages"} & set(entry.needs)
    passages = context.passages() if looks_up else Passages((), "")
    if "retriever" in entry.needs:
        parts["retriever"], described["retriever"] = chain_retriever(spec, passages)
    if "passages" in entry.needs:
        parts["passages"] = passages.texts
    if looks_up:
        described["pool_fingerprint"] = passages.fingerprint
    if "seed" in entry.needs:
        parts["seed"] = context.seed
    if "meanings" in entry.needs:
        parts["meanings"] = context.meanings()
    if spec.examples is not None:
        train_items = context.train_items()
        parts["examples"], described["examples"] = find_examples(spec.examples, train_items, seed=context.seed)
        described |= learnt_from(train_items)
    if spec.candidates is not None:
        parts["candidates"] = described["candidates"] = spec.candidates
    description = SystemDescription(kind="chain", **described)
    return PreparedChain(spec, "model" in entry.needs, parts, description, max_tokens, entry.several_calls)


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
    parts, description, local, limit, remote = prepared.parts, prepared.description, False, None, None
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
            others = prepared.parts
            remote = RemoteModel(model, lambda it: chain_predictor(spec, {**others, "model": it}, seed=context.seed))
        parts = {**parts, "model": model}
        described = ChatModelDescription(spec=spec.model, **describe_model(model))
        description = description.model_copy(update={"model": described})
    predictor = chain_predictor(spec, parts, seed=context.seed)
    batch_size = max(LOCAL_BATCH // times, 1) if local else None
    system = System(spec.name, description, batch_size, lambda _: predictor)
    return system._replace(reply_tokens=limit, several_calls=several_calls, remote=remote)


def _prompt(name: str, family: str) -> "Prompt":
    from chains import choose, classify, kice, mnli
    from chains.prompt_files import load_prompt

    variables = {name for chain in (choose, classify, kice, mnli) for name in chain.VARIABLES}
    return load_prompt(name, variables=variables, benchmark=family)
