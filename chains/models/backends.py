"""The model inside a family's wrapper: made from a user's settings and the family's row, here or on a server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import ValidationError

from chains.models.families import OPEN_TAG, Family, Options
from chains.models.providers import THINKING_TIMEOUT_S, TIMEOUT_S, endpoint_model
from data.common.errors import ConfigurationError, first_fault, unknown_name
from data.common.packaged import PACKAGED, is_installed

if TYPE_CHECKING:
    from chains.local.chat_model import LocalChatModel


class Settings(NamedTuple):
    """What a user asks of a model, whatever runs it; None leaves it to the family or the server."""

    temperature: float | None = 0.0
    max_tokens: int | None = None
    thinking_tokens: int | None = None
    enable_thinking: bool | None = None
    seed: int | None = None
    timeout: float | None = None


class Template(NamedTuple):
    """What a local model's chat template does: whether it shows a system message, and opens a <think> itself."""

    shows_system: bool = True
    opens_thoughts: bool = False


def local_model(model: str | None, family: Family, asked: Settings, options: Options) -> BaseChatModel:
    """Make the `LocalChatModel` of a family; it is loaded when it is first used.

    Args:
        model: A hub id, "ORG/NAME@revision", a folder or "smollm2"; None for the family's default.
        family: The family whose defaults hold.
        asked: What the user wants otherwise.
        options: Further fields of `LocalChatModel`.

    Raises:
        ConfigurationError: An option is unknown or has a value that is not allowed.
    """
    from chains.local.chat_model import LocalChatModel

    allowed = LocalChatModel.model_fields
    if unknown := [option for option in options if option not in allowed]:
        raise unknown_name("option of a local model", unknown[0], allowed)
    fields = {
        **model_reference(model, family),
        "max_tokens": (asked.max_tokens or family.max_tokens) + _room_for_thoughts(family, asked),
        "seed": asked.seed,
        **(family.sampling if asked.temperature is None else {"temperature": asked.temperature}),
        **options,
        "template_options": _template_options(family, asked) | options.get("template_options", {}),
    }
    try:
        return LocalChatModel(**fields)
    except ValidationError as error:
        raise ConfigurationError(f"model '{fields['model_ref']}' cannot be made: {first_fault(error)}") from None


def is_local(model: BaseChatModel) -> TypeGuard["LocalChatModel"]:
    """Say whether a model is a `LocalChatModel`, without importing what only a local model needs."""
    local = sys.modules.get("chains.local.chat_model")  # where it has not been imported, there is no such model
    return local is not None and isinstance(model, local.LocalChatModel)


def describe_weights(model: "LocalChatModel") -> dict[str, str | float | None]:
    """Return which weights a local model runs on and how: as loaded, or as asked for where it is not loaded yet."""
    packaged = model.model_ref in PACKAGED and is_installed(model.model_ref)
    described: dict[str, str | float | None] = {
        "revision": model.revision,
        "weights_sha256": PACKAGED[model.model_ref].sha256 if packaged else None,
        "dtype": model.dtype,
        "device": model.device,
        **{option: str(value) for option, value in model.template_options.items()},
    }
    if (loaded := model._loaded) is not None:
        described |= {
            "revision": loaded.revision,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "device": str(loaded.device),
        }
    return described


def model_reference(model: str | None, family: Family) -> dict[str, str | None]:
    """Return the `model_ref` and, where known, the `revision` of a `LocalChatModel`; None: the family's default."""
    if model is None or model == family.name == "smollm2":
        packaged = family.name == "smollm2"
        return {"model_ref": "smollm2"} if packaged else {"model_ref": family.hub_id, "revision": family.revision}
    if Path(model).expanduser().exists():
        return {"model_ref": model}
    name, _, revision = model.partition("@")
    return {"model_ref": name, "revision": revision or (family.revision if name == family.hub_id else None)}


def served_model(name: str, base_url: str, family: Family, asked: Settings, options: Options) -> BaseChatModel:
    """Make the chat model of a family on an OpenAI-compatible server.

    Args:
        name: What the server calls the model.
        base_url: Such as "http://localhost:8000/v1".
        family: The family whose defaults hold.
        asked: What the user wants otherwise.
        options: Further fields of LangChain's OpenAI chat model.

    Raises:
        ConfigurationError: The address is none, or a setting does not fit the family.
    """
    sampling = dict(family.sampling) if asked.temperature is None else {"temperature": asked.temperature}
    template_options = _template_options(family, asked)
    extra: Options = {"chat_template_kwargs": template_options} if template_options else {}
    if "top_k" in sampling:
        extra["top_k"] = sampling.pop("top_k")
    max_tokens, thoughts = asked.max_tokens, _room_for_thoughts(family, asked)
    if thoughts:
        # Thoughts and answer share one limit, which must not exceed the server's context: only the user knows that.
        max_tokens = (max_tokens or family.max_tokens) + thoughts if asked.thinking_tokens else None
    fields = {
        "max_tokens": max_tokens,
        "seed": asked.seed,
        "timeout": asked.timeout or (THINKING_TIMEOUT_S if thoughts else TIMEOUT_S),
        "stop": list(family.stop) or None,
        **sampling,
        **options,
        "extra_body": extra | options.get("extra_body", {}),
    }
    return endpoint_model(name, base_url, **fields)


def _room_for_thoughts(family: Family, asked: Settings) -> int:
    if asked.enable_thinking is False:
        return 0
    return family.thinking_tokens if asked.thinking_tokens is None else asked.thinking_tokens


def _template_options(family: Family, asked: Settings) -> dict[str, bool]:
    if asked.enable_thinking is None:
        return {}
    if family.thinking_switch is None:
        raise ConfigurationError(
            f"enable_thinking is for models with a switch, which {family.name or 'this model'} has not; leave it out"
        )
    return {family.thinking_switch: asked.enable_thinking}


def try_template(model: BaseChatModel) -> Template:
    """Find out what a local model's template does with a system message, and how the reply begins."""
    if not is_local(model):
        return Template()
    from chains.local.encoding import render

    loaded, question = model.load(), HumanMessage("question")
    opens_thoughts = render(loaded, [question], model.template_options).rstrip().endswith(OPEN_TAG)
    try:
        shown = render(loaded, [SystemMessage("instruction"), question], model.template_options)
    except ConfigurationError:
        return Template(shows_system=False, opens_thoughts=opens_thoughts)
    return Template(shows_system="instruction" in shown, opens_thoughts=opens_thoughts)
