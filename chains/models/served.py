"""The chat model behind an OpenAI-compatible server, with the reasoning that such servers send beside the text.

OpenAI's own API sends none, and LangChain's class drops it. vLLM, SGLang, llama.cpp and others call it
`reasoning_content` or `reasoning`; where a reply is cut off among its thoughts, it is all that there is.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai.chat_models.base import BaseChatOpenAI

from chains.models.reply_fields import REASONING_DETAILS, REASONING_FIELDS
from data.common.parsing import JsonObject

_SENT: dict[str, type] = {**dict.fromkeys(REASONING_FIELDS, str), REASONING_DETAILS: list}


class ServedChatModel(BaseChatOpenAI):
    """LangChain's model of OpenAI's chat completions; what a server adds as reasoning is in `additional_kwargs`.

    Not `ChatOpenAI`, which renames max_tokens to max_completion_tokens, which many servers ignore.
    """

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload = super()._get_request_payload(input_, stop=stop, **kwargs)
        if "messages" in payload:
            # They are plain JSON already. The SDK would hold each against every type of message that there is, which
            # takes a fifth of a call's CPU time; what is in extra_body takes the place of the field of that name.
            payload["extra_body"] = {**(payload.get("extra_body") or {}), "messages": payload["messages"]}
            payload["messages"] = []
        return payload

    def _create_chat_result(self, response: Any, generation_info: JsonObject | None = None) -> ChatResult:
        result = super()._create_chat_result(response, generation_info)
        choices = response["choices"] if isinstance(response, dict) else response.choices
        for generation, choice in zip(result.generations, choices, strict=True):
            _keep_reasoning(generation.message, choice["message"] if isinstance(choice, dict) else choice.message)
        return result

    def _convert_chunk_to_generation_chunk(
        self, chunk: JsonObject, default_chunk_class: type, base_generation_info: JsonObject | None
    ) -> ChatGenerationChunk | None:
        converted = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choices = chunk.get("choices") or ()
        if converted is not None and choices:
            _keep_reasoning(converted.message, choices[0].get("delta"))
        return converted


def _keep_reasoning(message: BaseMessage, sent: Any) -> None:
    """Put a sent message's reasoning, which OpenAI's client keeps among the fields that it does not know, into ours."""
    fields = sent if isinstance(sent, Mapping) else getattr(sent, "model_extra", None) or {}
    for name, kind in _SENT.items():
        if isinstance(value := fields.get(name), kind) and value:
            message.additional_kwargs[name] = value
