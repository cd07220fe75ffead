"""Turns a suite's entry into something that answers: the one place that knows every kind of system.

Everything that can be wrong with an entry is found while it is built, before a run writes anything. Only the
training of a `finetune` system waits until the run asks for it.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from data.card import is_task
from data.common.errors import ConfigurationError
from data.registry import fingerprint
from data.types import Item
from eval.measures.training_costs import note_fit, training_facts
from eval.plan import baselines
from eval.plan.chain_check import check_chain
from eval.plan.chain_examples import find_examples
from eval.plan.chain_predictor import Predictor, chain_predictor
from eval.plan.chain_retriever import chain_retriever
from eval.plan.context import Context
from eval.plan.own_parts import own_predictor
from eval.plan.suite import SystemSpec
from eval.rundir.description import ChatModelDescription, SystemDescription

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from chains.prompt_files import Prompt

LOCAL_BATCH = 64  # items handed to a local model, classifier or baseline at once


class RemoteModel(NamedTuple):
    """The model of a chain that is asked over a network: a run may keep its replies, and replay them.

    Attributes:
        predictor_with: Returns the chain's predictor with another model in its place.
    """

    model: "BaseChatModel"
    predictor_with: "Callable[[BaseChatModel], Predictor]"


class System(NamedTuple):
    """A configured predictor of a run.

    Attributes:
        description: What the manifest says of it: everything that can change its answers.
        batch_size: Items to hand over at once, where that is faster; None: one at a time, concurrently.
        open: Returns the predictor; takes the system's folder in the run, where training leaves its checkpoint.
        labels: The class names of a classifier whose order of them is to be checked; None: nothing to check.
        reply_tokens: The longest reply of a model that is asked over a network; None: nothing limits it.
        several_calls: Whether an item may take several calls of its model.
        remote: Its model, if that is asked over a network.
        limit: Of the items it answers only the first so many; None: all.
    """

    name: str
    description: SystemDescription
    batch_size: int | None
    open: Callable[[Path], Predictor]
    labels: tuple[str, ...] | None = None
    reply_tokens: int | None = None
    several_calls: bool = False
    remote: RemoteModel | None = None
    limit: int | None = None


def build_system(spec: SystemSpec, context: Context) -> System:
    """Build the system that a suite's entry describes.

    Raises:
        ConfigurationError: A name, setting or checkpoint that cannot be used.
        MissingResourceError: A key, model, dataset or checkpoint that is not there.
    """
    builders = {
        "baseline": _baseline,
        "chain": _chain,
        "checkpoint": _checkpoint,
        "finetune": _finetune,
        "runnable": _runnable,
    }
    system = builders[spec.kind](spec, context)
    said = {name: value for name in ("note", "limit") if (value := getattr(spec, name))}
    return system._replace(description=system.description.model_copy(update=said), limit=spec.limit)


def _baseline(spec: SystemSpec, context: Context) -> System:
    name = str(spec.baseline)
    learns = baselines.baseline_entry(name).learns
    parts = baselines.Parts(context.train_items() if learns else [], context.seed)
    more: dict[str, Any] = {}
    if name == "nearest":
        embeddings = spec.embeddings or ("minilm" if context.benchmark.language == "en" else "e5-small")
        parts = parts._replace(embeddings=embeddings)
        more["embeddings"] = embeddings
    baselines.check_baseline(name, parts.train_items)
    description = SystemDescription(kind="baseline", baseline=name, **more, **_learnt_from(parts.train_items))
    open_fitted = partial(_fit_and_note, name, parts) if learns else lambda _: baselines.build_baseline(name, parts)
    return System(spec.name, description, LOCAL_BATCH, open_fitted)


def _fit_and_note(name: str, parts: baselines.Parts, folder: Path) -> Predictor:
    """Fit a baseline that learns, and note in the run what that took: it is what its answers cost beforehand."""
    start = time.perf_counter()
    predictor = baselines.build_baseline(name, parts)
    note_fit(folder, seconds=time.perf_counter() - start, n_items=len(parts.train_items))
    return predictor


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
    from retrievers.corpus import passages_from_items

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
    if "retriever" in entry.needs:
        parts["retriever"], described["retriever"] = chain_retriever(spec, context.items)
    if "passages" in entry.needs:
        parts["passages"] = passages_from_items(context.items)
    if {"retriever", "passages"} & set(entry.needs):
        described["pool_fingerprint"] = fingerprint(context.items)
    if "seed" in entry.needs:
        parts["seed"] = context.seed
    if "meanings" in entry.needs:
        parts["meanings"] = context.meanings()
    if spec.examples is not None:
        train_items = context.train_items()
        parts["examples"], described["examples"] = find_examples(spec.examples, train_items, seed=context.seed)
        described |= _learnt_from(train_items)
    if spec.candidates is not None:
        parts["candidates"] = described["candidates"] = spec.candidates
    description = SystemDescription(kind="chain", **described)
    return PreparedChain(spec, "model" in entry.needs, parts, description, max_tokens, entry.several_calls)


def _learnt_from(train_items: Sequence[Item]) -> dict[str, Any]:
    return {"train_items": len(train_items), "train_fingerprint": fingerprint(train_items)} if train_items else {}


def _chain(spec: SystemSpec, context: Context) -> System:
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


def _runnable(spec: SystemSpec, context: Context) -> System:
    if spec.name not in context.own.systems:
        raise ConfigurationError(
            f"system '{spec.name}' is a runnable, which only a script can give: see eval.api.evaluate; name code in a "
            "suite as chain: module:attr"
        )
    description = SystemDescription(kind="runnable", runnable=spec.runnable)
    predictor = own_predictor(context.own.systems[spec.name], labels=context.benchmark.labels)
    return System(spec.name, description, None, lambda _: predictor, several_calls=True)


def _prompt(name: str, family: str) -> "Prompt":
    from chains import choose, classify, kice, mnli
    from chains.prompt_files import load_prompt

    variables = {name for chain in (choose, classify, kice, mnli) for name in chain.VARIABLES}
    return load_prompt(name, variables=variables, benchmark=family)


def _checkpoint(spec: SystemSpec, context: Context) -> System:
    from finetune.classifier import load_classifier

    name, labels = str(spec.checkpoint), _labels(context)
    predictor = load_classifier(name, labels=labels)
    training = training_facts(Path(name))
    trained: dict[str, Any] = {} if training is None else {"training": training}
    sha256 = _checkpoint_sha256(name)
    description = SystemDescription(kind="checkpoint", checkpoint=name, checkpoint_sha256=sha256, **trained)
    return System(spec.name, description, LOCAL_BATCH, lambda _: predictor, _checked(spec, labels))


def _checked(spec: SystemSpec, labels: Sequence[str]) -> tuple[str, ...] | None:
    return None if spec.any_label_order else tuple(labels)


def _checkpoint_sha256(checkpoint: str) -> str | None:
    """Identify a checkpoint's folder by its weights and its configuration, which names the labels.

    Returns:
        None for one from the hub, which its name and cache identify.
    """
    files = [*sorted(Path(checkpoint).glob("*.safetensors")), *Path(checkpoint).glob("config.json")]
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if files else None


def _finetune(spec: SystemSpec, context: Context) -> System:
    from data.splits import hold_out
    from finetune.config import make_settings
    from finetune.train import check

    labels = _labels(context)
    settings = make_settings({"seed": context.seed, **_texts_read(context), **(spec.finetune or {})})
    learnt, held_out = hold_out(context.train_items(), seed=settings.seed)
    check(settings, train_items=learnt, eval_items=held_out, labels=labels)
    description = SystemDescription(
        kind="finetune", finetune=settings.model_dump(mode="json"), held_out=len(held_out), **_learnt_from(learnt)
    )
    open_trained = partial(_train_and_load, settings, learnt, held_out, labels)
    return System(spec.name, description, LOCAL_BATCH, open_trained, _checked(spec, labels))


def _texts_read(context: Context) -> dict[str, Any]:
    """Return the texts that an encoder reads of a task of the user's own, whatever they are called."""
    if not is_task(context.spec.benchmark):
        return {}
    names = tuple(dict.fromkeys(name for item in context.items for name in item.inputs))
    if len(names) > 2:
        raise ConfigurationError(
            f"an encoder reads one text or two, and the items have {len(names)}: {', '.join(names)}; name those "
            "to read as text_fields of finetune, or fewer columns with --text"
        )
    return {"text_fields": names}


def _train_and_load(
    settings: Any, train_items: Sequence[Item], held_out: Sequence[Item], labels: Sequence[str], folder: Path
) -> Predictor:
    """Train into the run's folder, going on where an interrupted run stopped; a finished checkpoint is taken."""
    from eval.measures.metrics import classification_metrics
    from finetune.classifier import load_classifier
    from finetune.train import train
    from finetune.working_folder import working_folder

    checkpoint = folder / "checkpoint"
    if not checkpoint.is_dir():
        train(
            settings,
            train_items=train_items,
            eval_items=held_out,  # seen during training for its curves only, never for its scores
            labels=labels,
            compute_metrics=classification_metrics,
            out=checkpoint,
            resume=working_folder(checkpoint).is_dir(),
        )
    predictor: Predictor = load_classifier(checkpoint, labels=labels)
    return predictor


def _labels(context: Context) -> Sequence[str]:
    if context.benchmark.labels is None:
        raise ConfigurationError(
            f"{context.benchmark.name} has choices of its own for each item; a classifier needs fixed labels (mnli)"
        )
    return context.benchmark.labels
