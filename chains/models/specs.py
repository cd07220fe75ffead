"""Model specs: one string names any chat model, as suites, the command line and scripts write it.

    openai:gpt-4o-mini                          a provider of LangChain's init_chat_model
    hf:Qwen/Qwen3-0.6B@main, hf:path/to/folder  a transformers model in this process
    endpoint:NAME@http://host:port/v1           an OpenAI-compatible server: vLLM, Ollama, llama.cpp
    qwen, mistral, smallthinker, smollm2, gpt   aliases
    my_models:make                              your own model, or a function without arguments that returns one

Importing this module loads neither torch nor a provider's package.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from chains.local.likelihood import LabelScores, Likelihood
from chains.models import backends
from chains.models.addresses import address_of, check_reachable
from chains.models.families import FAMILIES, Options, family_of
from chains.models.providers import ENDPOINT_KEY, PROVIDERS, provider_model, thought_tokens
from chains.models.request_fields import fields_of, with_request
from chains.models.wrappers import WRAPPERS, FamilyChatModel
from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, unknown_name
from data.common.parsing import JsonObject

FORMS = (
    "provider:model (openai:gpt-4o-mini), hf:ORG/NAME[@revision], hf:FOLDER, endpoint:NAME@http://host:port/v1, "
    "module:attr, or an alias"
)
# A family's name stands for its default model.
ALIASES: dict[str, str] = {
    "gpt": "openai:gpt-4o-mini",
    **{name: f"hf:{row.hub_id}" for name, row in FAMILIES.items() if row.hub_id},
}
_ENDPOINT = re.compile(r"(?P<name>.+)@(?P<base_url>[a-z]+://.+)")
# What the classes of LangChain's providers call the model's name.
_NAME_FIELDS = ("model_ref", "model_name", "model_id", "model")
# What they call the longest reply.
_LIMIT_FIELDS = ("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict")


class ModelKind(NamedTuple):
    """A line of `python -m eval list models`: what to write, what it stands for, what it is."""

    name: str
    spec: str
    summary: str


def model_kinds() -> list[ModelKind]:
    """Return every alias and every form of a model spec, with a line about it."""
    aliases = [
        ModelKind(name, spec, FAMILIES[name].title if name in FAMILIES else "OpenAI's GPT-4o mini (OPENAI_API_KEY)")
        for name, spec in ALIASES.items()
    ]
    return [
        *aliases,
        ModelKind("PROVIDER:MODEL", "openai:gpt-4o", f"an API: {', '.join(PROVIDERS)}"),
        ModelKind("hf:ORG/NAME[@REVISION]", "hf:Qwen/Qwen3-0.6B", "a transformers chat model from the hub, run here"),
        ModelKind("hf:FOLDER", "hf:./my-model", "a transformers chat model from a folder, run here"),
        ModelKind("endpoint:NAME@URL", "endpoint:qwen3@http://localhost:8000/v1", "any OpenAI-compatible server"),
        ModelKind("MODULE:ATTR", "my_models:make", "your own chat model, or a function that returns one"),
    ]


def load_chat_model(
    spec: str,
    *,
    temperature: float | None = 0.0,
    max_tokens: int | None = None,
    seed: int | None = None,
    timeout: float | None = None,
    max_retries: int | None = None,
    request: Mapping[str, Any] | None = None,
    **options: Any,
) -> BaseChatModel:
    """Make the chat model that a spec names; a local one is loaded when it is first used.

    Args:
        spec: One of the forms above.
        temperature: 0 decodes greedily; None leaves it to the model's card or the provider. Models that refuse a
            temperature are not sent one.
        max_tokens: Room for the answer, in tokens; models that think first get room for that on top. None for the
            family's or the provider's default.
        seed: The seed of the sampling, where the model can be given one.
        timeout: Seconds until an API must have answered; None: 60, or 600 for a model that thinks first.
        max_retries: How often the client of an API asks again by itself, where it can; None: its default. A model of
            your own keeps its own.
        request: Fields of what is sent to an API, by name, that are to have another value; None leaves one out. See
            `chains.models.request_fields`.
        options: Passed on: `enable_thinking` and `thinking_tokens` of the families, fields of `LocalChatModel` or of
            the provider's class.

    Raises:
        ConfigurationError: The spec is malformed, its name unknown, or an option does not fit.
        MissingResourceError: A package or a key is not there.
    """
    spec = resolve_spec(spec)
    settings = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed, "timeout": timeout, **options}
    return with_request(_load(spec, settings, max_retries), request or {})


def _load(spec: str, settings: Options, max_retries: int | None) -> BaseChatModel:
    kind, _, name = ALIASES.get(spec, spec).partition(":")
    if kind == "hf":
        return _local(spec if spec in ALIASES else name, settings)
    retries = {} if max_retries is None else {"max_retries": max_retries}
    if kind == "endpoint":
        return _served(name, settings | retries)
    if kind in PROVIDERS:
        return provider_model(kind, name, **settings, **retries)
    return _own(spec)


def resolve_spec(spec: str) -> str:
    """Return a spec without aliases of APIs, so that one model has one name in manifests and price tables.

    Raises:
        ConfigurationError: It has none of the forms of a spec.
    """
    if spec in FAMILIES and spec in ALIASES:
        return spec  # a family's name stands for its packaged weights where there are some
    kind, colon, name = ALIASES.get(spec, spec).partition(":")
    if not colon:
        raise unknown_name("model", spec, ALIASES, f"Or give it as {FORMS}.")
    if not kind or not name:
        raise ConfigurationError(f"'{spec}' is not a model spec; give it as {FORMS}")
    return f"{kind}:{name}"


def names_remote(spec: str) -> bool:
    """Say whether a spec is of a model that an API or a server runs; a user's own code may hold either kind."""
    kind = resolve_spec(spec).partition(":")[0]
    return kind in PROVIDERS or kind == "endpoint"


def names_local(spec: str) -> bool:
    """Say whether a spec is of a model that runs in this process."""
    resolved = resolve_spec(spec)
    return resolved in FAMILIES or resolved.startswith("hf:")


def key_names(spec: str | None) -> tuple[str, ...]:
    """Return the variables that may hold the key of a spec's model; none for one that needs no key, or for no model."""
    kind = resolve_spec(spec).partition(":")[0] if spec else ""
    return (ENDPOINT_KEY,) if kind == "endpoint" else PROVIDERS[kind].keys if kind in PROVIDERS else ()


def reply_tokens(spec: str, answer_tokens: int) -> int:
    """Return the most tokens that a model may write for an answer of so many: models that think first need more."""
    kind, _, name = resolve_spec(spec).partition(":")
    if kind in PROVIDERS:
        return answer_tokens + thought_tokens(kind, name)
    return answer_tokens + family_of(name or kind).thinking_tokens


def reply_limit(model: BaseChatModel) -> int | None:
    """Return the most tokens that a model has been told to write, thoughts included; None where it may go on."""
    inner = _inner(model)
    limits = (getattr(inner, field, None) for field in _LIMIT_FIELDS)
    return next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)


def _local(name: str, settings: Options) -> FamilyChatModel:
    wrapper = WRAPPERS[family_of(name.partition("@")[0]).wrapper]
    return wrapper(**settings) if name == wrapper.default else wrapper(name, **settings)


def _served(served: str, settings: Options) -> FamilyChatModel:
    match = _ENDPOINT.fullmatch(served)
    if match is None:
        raise ConfigurationError(
            f"'endpoint:{served.rpartition('@')[2]}' is not a model spec; give it as endpoint:NAME@http://host:port/v1"
        )
    name = match["name"]
    return WRAPPERS[family_of(name).wrapper](name, base_url=match["base_url"], **settings)


def _own(spec: str) -> BaseChatModel:
    module = spec.partition(":")[0]
    try:
        made = load_attribute(spec, kind="model")
    except ConfigurationError as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and error.__cause__.name == module.partition(".")[0]:
            raise unknown_name("model provider", module, [*PROVIDERS, "hf", "endpoint"], f"Forms: {FORMS}.") from None
        raise
    model = made if isinstance(made, BaseChatModel) else made() if callable(made) else made
    if not isinstance(model, BaseChatModel):
        raise ConfigurationError(f"model '{spec}' is a {type(model).__name__}; it must be, or return, a BaseChatModel")
    return model


def _inner(model: BaseChatModel) -> BaseChatModel:
    return model.inner if isinstance(model, FamilyChatModel) else model


def is_local(model: BaseChatModel) -> bool:
    """Say whether a model runs in this process, where one batch is better than many threads."""
    return backends.is_local(_inner(model))


def supports_scoring(model: BaseChatModel) -> bool:
    """Say whether `score_labels` can ask the model how likely each label is."""
    return is_local(model)


def takes_logprobs(model: BaseChatModel) -> bool:
    """Say whether a model can be asked for the log-probabilities of the tokens of its reply, as OpenAI's can."""
    return {"logprobs", "top_logprobs"} <= type(_inner(model)).model_fields.keys()


def score_labels(
    model: BaseChatModel,
    conversations: Sequence[Sequence[BaseMessage]],
    labels: Sequence[Sequence[str]],
    *,
    likelihood: Likelihood = "sum",
    config: RunnableConfig | list[RunnableConfig] | None = None,
    return_exceptions: bool = False,
) -> list[LabelScores]:
    """Return how likely a model finds each label as its reply to each conversation.

    Args:
        model: One that `supports_scoring`.
        conversations: n of them.
        labels: (n, any) for each conversation the texts to compare.
        likelihood: What is compared of the labels: see `chains.local.likelihood`.
        config: One for all, or one for each.
        return_exceptions: Put a conversation's error in its place, so that it does not sink the others.
    """
    if not supports_scoring(model):
        raise ValueError(f"{type(model).__name__} gives no label likelihoods; ask supports_scoring first")
    scores: list[LabelScores] = model.score(  # type: ignore[attr-defined]  # as supports_scoring says
        conversations, labels, likelihood=likelihood, config=config, return_exceptions=return_exceptions
    )
    return scores


def check_ready(model: BaseChatModel) -> None:
    """Find out before a run whether the model can be asked: load a local one, knock at a server's address.

    Raises:
        MissingResourceError: The weights cannot be had, or nothing answers at the address.
        ConfigurationError: The weights are not of a chat model that runs here.
    """
    if isinstance(model, FamilyChatModel):
        model.template()
    check_reachable(model)


def describe_model(model: BaseChatModel) -> JsonObject:
    """Return what a manifest must say of a model so that its run can be repeated; never a key.

    Revision, dtype and device are those of the weights once they are loaded (see `check_ready`).
    """
    inner = _inner(model)
    described: JsonObject = {
        "class": type(model).__name__,
        "model": next((value for name in _NAME_FIELDS if (value := getattr(inner, name, None))), None),
        "base_url": address_of(model),
        "temperature": getattr(inner, "temperature", None),
        "max_tokens": reply_limit(model),
        "seed": getattr(inner, "seed", None),
    }
    if isinstance(model, FamilyChatModel):
        described["family"] = model.family.name or None
    if fields := fields_of(model):
        described["request"] = fields
    return described | (backends.describe_weights(inner) if backends.is_local(inner) else {})
