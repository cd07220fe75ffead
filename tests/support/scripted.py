"""A chat model whose reply is a function of the messages, and which remembers what it was asked.

A list of canned replies would be handed out in the wrong order under concurrency; a function cannot be.
"""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field


class ScriptedChatModel(BaseChatModel):
    reply: Callable[[list[BaseMessage]], str | AIMessage]
    calls: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.calls.append(messages)
        reply = self.reply(messages)
        message = AIMessage(reply) if isinstance(reply, str) else reply
        return ChatResult(generations=[ChatGeneration(message=message)])


class ToolCallingModel(ScriptedChatModel):
    """A scripted model that is offered tools; `offered` holds the names and the tool choice of each request."""

    offered: list[tuple[list[str], str | None]] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        self.offered.append(([tool.name for tool in tools], kwargs.get("tool_choice")))
        return self.bind()
