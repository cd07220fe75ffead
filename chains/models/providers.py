"""Chat models behind an API: LangChain's providers, and any server that speaks OpenAI's chat completions.

A key is read from the environment or from `.env` in the current folder, and goes only to the provider it belongs
to: a server of one's own gets ENDPOINT_API_KEY or a placeholder, never OPENAI_API_KEY.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr, ValidationError

from chains.models.addresses import check_address, given_address
from chains.models.families import Options
from data.common.errors import ConfigurationError, MissingResourceError, first_fault

ENDPOINT_KEY = "ENDPOINT_API_KEY"
# Servers without keys still want the header to be there.
NO_KEY = "no-key"
# These refuse a temperature other than their own, and count their hidden thoughts as output.
REASONING_MODELS = re.compile(r"^(o\d|gpt-5(?!.*chat))")
# What OpenAI's reasoning guide asks to reserve: https://platform.openai.com/docs/guides/reasoning
REASONING_TOKENS = 25_000
TIMEOUT_S, THINKING_TIMEOUT_S = 60.0, 600.0
# Their APIs know no seed, and their clients refuse one.
_WITHOUT_SEED = frozenset({"anthropic"})


class Provider(NamedTuple):
    """What a provider of `init_chat_model` needs: its package, and one of the variables that hold its key."""

    package: str
    keys: tuple[str, ...] = ()


PROVIDERS: dict[str, Provider] = {
    "anthropic": Provider("langchain-anthropic", ("ANTHROPIC_API_KEY",)),
    "anthropic_bedrock": Provider("langchain-aws"),
    "azure_ai": Provider("langchain-azure-ai"),
    "azure_openai": Provider("langchain-openai", ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN")),
    "baseten": Provider("langchain-baseten", ("BASETEN_API_KEY",)),
    "bedrock": Provider("langchain-aws"),
    "bedrock_converse": Provider("langchain-aws"),
    "bedrock_mantle_anthropic": Provider("langchain-aws"),
    "bedrock_mantle_openai": Provider("langchain-aws"),
    "cohere": Provider("langchain-cohere", ("COHERE_API_KEY",)),
    "deepseek": Provider("langchain-deepseek", ("DEEPSEEK_API_KEY",)),
    "fireworks": Provider("langchain-fireworks", ("FIREWORKS_API_KEY",)),
    "google_anthropic_vertex": Provider("langchain-google-vertexai"),
    "google_genai": Provider("langchain-google-genai", ("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "google_vertexai": Provider("langchain-google-vertexai"),
    "groq": Provider("langchain-groq", ("GROQ_API_KEY",)),
    "huggingface": Provider("langchain-huggingface"),
    "ibm": Provider("langchain-ibm"),
    "langsmith": Provider("langchain-openai", ("LANGSMITH_API_KEY", "LANGSMITH_GATEWAY_API_KEY")),
    "litellm": Provider("langchain-litellm"),
    "meta": Provider("langchain-meta"),
    "mistralai": Provider("langchain-mistralai", ("MISTRAL_API_KEY",)),
    "nvidia": Provider("langchain-nvidia-ai-endpoints", ("NVIDIA_API_KEY",)),
    "ollama": Provider("langchain-ollama"),
    "openai": Provider("langchain-openai", ("OPENAI_API_KEY",)),
    "openrouter": Provider("langchain-openrouter", ("OPENROUTER_API_KEY",)),
    "perplexity": Provider("langchain-perplexity", ("PPLX_API_KEY", "PERPLEXITY_API_KEY")),
    "together": Provider("langchain-together", ("TOGETHER_API_KEY",)),
    "upstage": Provider("langchain-upstage", ("UPSTAGE_API_KEY",)),
    "xai": Provider("langchain-xai", ("XAI_API_KEY",)),
}


def read_env_file() -> None:
    """Take what `.env` in the current folder sets into the environment, where it is not set yet.

    Raises:
        ConfigurationError: It is no text in UTF-8, or cannot be read.
    """
    from dotenv import load_dotenv

    try:
        text = Path(".env").read_text(encoding="utf-8-sig")  # an editor may have put a mark at its beginning
    except (FileNotFoundError, IsADirectoryError):
        return
    except OSError as error:
        raise ConfigurationError(f".env cannot be read: {error.strerror}; make it readable, or remove it") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigurationError(".env is no text in UTF-8 (but perhaps in UTF-16); save it as UTF-8")
    load_dotenv(stream=StringIO(text))


def _check_keys(variables: Iterable[str]) -> None:
    """Refuse a key that holds what no key does: it could not be sent, or would be refused with every item."""
    for variable in variables:
        for character in os.environ.get(variable, ""):
            if not "!" <= character <= "~":
                raise ConfigurationError(
                    f"{variable}, the key, holds {_name_of(character)}; copy it again, without that, into .env or the "
                    "environment"
                )


def _name_of(character: str) -> str:
    if character in "\r\n":
        return "a line break"
    named = unicodedata.name(character, "a control character")
    return "a space" if character == " " else f"U+{ord(character):04X} ({named})"


def provider_model(provider: str, name: str, *, max_retries: int | None = None, **settings: Any) -> BaseChatModel:
    """Make the chat model `name` of one of LangChain's providers.

    Args:
        provider: A key of PROVIDERS.
        name: The model's name with the provider.
        max_retries: How often the provider's client asks again by itself, where it has such a setting.
        settings: temperature, max_tokens, seed, timeout and the provider's own options; None is not passed on.

    Raises:
        MissingResourceError: The provider's package or its key is not there.
        ConfigurationError: The provider refuses the settings, or the key, or the address that is set, is none.
    """
    package, keys = PROVIDERS[provider]
    if find_spec(package.replace("-", "_")) is None:
        raise MissingResourceError(f"model '{provider}:{name}' needs the package {package}; run: pip install {package}")
    read_env_file()
    if keys and not any(os.environ.get(key) for key in keys) and "api_key" not in settings:
        raise MissingResourceError(f"{keys[0]} is not set; put it in .env (see .env.example) or export it")
    _check_keys(keys)
    if address := given_address(f"{provider}:{name}"):
        check_address(address)
    if provider in _WITHOUT_SEED:
        settings = settings | {"seed": None}
    if thought_tokens(provider, name):
        settings = _leave_room_for_thoughts(settings)
    from langchain.chat_models import init_chat_model

    given = {"timeout": TIMEOUT_S} | {setting: value for setting, value in settings.items() if value is not None}
    try:
        if package == "langchain-openai":
            from chains.models.connections import http_client

            given = http_client(given) | given
        model: BaseChatModel = init_chat_model(name, model_provider=provider, **given)
        # Only the class that was found knows the setting; others would refuse it, or send it on.
        if max_retries is not None and "max_retries" in type(model).model_fields:
            model = init_chat_model(name, model_provider=provider, max_retries=max_retries, **given)
    except ValidationError as error:
        raise ConfigurationError(f"model '{provider}:{name}' cannot be made: {first_fault(error)}") from None
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise ConfigurationError(f"model '{provider}:{name}' cannot be made: {error}") from error
    return model


def thought_tokens(provider: str, name: str) -> int:
    """Return the room for thoughts, in tokens, that a provider's model is given in front of its answer."""
    return REASONING_TOKENS if provider in ("openai", "azure_openai") and REASONING_MODELS.match(name) else 0


def _leave_room_for_thoughts(settings: Options) -> Options:
    max_tokens, timeout = settings.get("max_tokens"), settings.get("timeout")
    return settings | {
        "temperature": None,
        "max_tokens": max_tokens and max_tokens + REASONING_TOKENS,
        "timeout": THINKING_TIMEOUT_S if timeout is None else timeout,
    }


def endpoint_model(
    name: str,
    base_url: str,
    *,
    max_tokens: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
    **settings: Any,
) -> BaseChatModel:
    """Make the chat model `name` of the OpenAI-compatible server at `base_url`.

    Args:
        name: What the server calls the model.
        base_url: Such as "http://localhost:8000/v1".
        max_tokens: Room for the answer, in tokens.
        extra_body: What the server understands beyond OpenAI's API, such as top_k.
        settings: temperature, seed, timeout and further fields of the OpenAI chat model; None is not passed on.

    Raises:
        ConfigurationError: The address or the key is none, or a setting has a value that is not allowed.
    """
    from chains.models.connections import http_client
    from chains.models.served import ServedChatModel

    address = check_address(base_url)
    read_env_file()
    _check_keys([ENDPOINT_KEY])
    given = {setting: value for setting, value in settings.items() if value is not None}
    fields = {
        "api_key": SecretStr(os.environ.get(ENDPOINT_KEY) or NO_KEY),
        "extra_body": dict(extra_body) if extra_body else None,
        "use_responses_api": False,
        **given,
        # What names the user's account with OpenAI is nobody else's business either.
        "default_headers": {"OpenAI-Organization": "", "OpenAI-Project": "", **given.get("default_headers", {})},
    }
    try:
        return ServedChatModel(model=name, base_url=address, max_tokens=max_tokens, **http_client(given) | fields)
    except ValidationError as error:
        raise ConfigurationError(f"model '{name}' at {address} cannot be made: {first_fault(error)}") from None
    except (ImportError, OSError) as error:  # a proxy or certificates that cannot be used
        raise ConfigurationError(f"model '{name}' at {address} cannot be made: {error}") from error
