"""KICE by an agent: the model itself decides what to look up, and when it has read enough.

    input ─ fill in ─ prompt ─ agent ─ read answer → Prediction
    agent: model ─ tool calls? ─ yes ─ search | read_passage ─ model ─ … ─ no

LangChain's `create_agent` runs the loop. What it lacks for an evaluation is an end that is an answer: once the tool
calls are used up, the model is asked once more and may only write (see `_ToolBudget`).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.prompts import PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableSequence
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.tools.retriever import create_retriever_tool

from chains.kice import VARIABLES as VARIABLES
from chains.kice import KiceInput, prompt_variables
from chains.models.reply_fields import read_reasoning, read_usage
from chains.predictor import Answering, Predictor, filling_in, read_reply, reading
from chains.prompt_files import AnswerForm, load_prompt
from chains.steps import Assign, Step
from data.common.errors import ConfigurationError
from data.common.parsing import whole_strings
from data.types import Inputs, Passage, Prediction
from retrievers.base import identified

MAX_TOOL_CALLS = 6
# Nodes that LangGraph may pass through for each tool call; beyond them the loop itself would be at fault.
_NODES_PER_CALL = 4


def kice_agent(
    model: BaseChatModel,
    retriever: BaseRetriever,
    passages: Sequence[Passage],
    *,
    prompt: str = "kice/agent",
    answering: Answering = "auto",
    max_tool_calls: int = MAX_TOOL_CALLS,
) -> Predictor:
    """Answer with what the model looks up itself, by a search tool and a tool that reads a whole passage.

    Args:
        model: One that calls tools.
        retriever: Behind the search tool; its documents' metadata name their passage as `passage_id`.
        passages: What can be read, by id.
        prompt: As `load_prompt` takes it.
        answering: "auto" or "generate", which are the same here.
        max_tool_calls: How many calls one item may take; then the model must answer.

    Raises:
        ConfigurationError: The model calls no tools, or labels were to be scored.
    """
    if answering not in ("auto", "generate"):
        raise ConfigurationError(f"answering '{answering}' is not possible: an agent writes; use 'generate' or 'auto'")
    tools = [_search_tool(retriever), _reading_tool(passages)]
    _check_tools(model, tools)
    loaded = load_prompt(prompt, benchmark="kice")
    agent: Runnable[Any, Any] = create_agent(model, tools, middleware=[_ToolBudget(max_tool_calls)], name="agent")
    agent = agent.with_config(recursion_limit=_NODES_PER_CALL * (max_tool_calls + 2))
    begin: Step[dict[str, Any]] = Step(function=lambda prompt: {"messages": prompt.to_messages()})
    return (
        filling_in(loaded, prompt_variables, takes=KiceInput)
        | Assign(key="prompt", step=loaded.template(), of="variables")
        | Assign(name="agent", key="state", step=begin | agent, of="prompt")
        | reading(partial(read_conversation, loaded.answer), shows="state")
    )


def read_conversation(form: AnswerForm, entry: Inputs) -> Prediction:
    """Read the answer from the last reply; what was found, what was used and what was reasoned are of all turns."""
    messages: list[BaseMessage] = entry["state"]["messages"]
    found = [
        document.id
        for message in messages
        if isinstance(message, ToolMessage) and isinstance(message.artifact, list)
        for document in message.artifact
        if isinstance(document, Document)
    ]
    turns = [message for message in messages if isinstance(message, AIMessage)]
    usage: dict[str, int] = {}
    for turn in turns:
        for name, count in read_usage(turn).items():
            usage[name] = usage.get(name, 0) + count
    answer = read_reply(form, {**entry, "reply": messages[-1]})
    reasoning = "\n\n".join([*filter(None, map(read_reasoning, turns[:-1])), answer.reasoning]).strip()
    of_all_turns = {"document_ids": tuple(dict.fromkeys(found)), "usage": usage, "reasoning": reasoning}
    return answer.model_copy(update=of_all_turns)


class _ToolBudget(AgentMiddleware):
    """Bounds the tool calls of a conversation: beyond them the model may not call, and a call is not carried out."""

    def __init__(self, max_tool_calls: int) -> None:
        super().__init__()
        self.max_tool_calls = max_tool_calls

    def wrap_model_call(self, request: ModelRequest, handler: Callable[[ModelRequest], ModelResponse]) -> ModelResponse:
        left = self._left(request)
        return _limited(handler(_allowed(request, left)), left)

    async def awrap_model_call(
        self, request: ModelRequest, handler: Callable[[ModelRequest], Awaitable[ModelResponse]]
    ) -> ModelResponse:
        left = self._left(request)
        return _limited(await handler(_allowed(request, left)), left)

    def _left(self, request: ModelRequest) -> int:
        return self.max_tool_calls - sum(isinstance(message, ToolMessage) for message in request.messages)


def _allowed(request: ModelRequest, left: int) -> ModelRequest:
    # The tools stay named: some providers refuse a conversation that holds calls of tools they are not told of.
    return request if left > 0 else request.override(tool_choice="none")


def _limited(response: ModelResponse, left: int) -> ModelResponse:
    reply = response.result[0]
    if isinstance(reply, AIMessage) and reply.tool_calls:
        # The turn is sent back to the model, and half a character could not be.
        turn = {"content": whole_strings(reply.content), "tool_calls": whole_strings(reply.tool_calls[:left])}
        if left <= 0:  # else it would look as if it had said nothing
            turn["response_metadata"] = {**reply.response_metadata, "finish_reason": "tool_calls"}
        response.result = [reply.model_copy(update=turn)]
    return response


def _search_tool(retriever: BaseRetriever) -> BaseTool:
    # It only invokes what it is given: documents without an id or a passage get both before they are shown.
    found: Any = RunnableSequence(retriever, Step(function=identified, gives=list), name="search")
    return create_retriever_tool(
        found,
        "search",
        "지문에서 질의와 관련된 부분을 찾습니다. 찾은 부분마다 그 지문의 id가 붙어 있습니다.",
        document_prompt=PromptTemplate.from_template("[{passage_id}]\n{page_content}"),
        response_format="content_and_artifact",
    )


def _reading_tool(passages: Sequence[Passage]) -> BaseTool:
    texts = {passage.id: passage.text for passage in passages}

    def read_passage(passage_id: str) -> str:
        return texts.get(passage_id, f"'{passage_id}'라는 지문은 없습니다. search가 알려 준 id를 쓰세요.")

    return StructuredTool.from_function(read_passage, description="id로 지문 전체를 읽습니다.")


def _check_tools(model: BaseChatModel, tools: Sequence[BaseTool]) -> None:
    try:
        model.bind_tools(tools)
    except NotImplementedError:
        raise ConfigurationError(
            "chain 'kice-agent' needs a model that calls tools, such as gpt or one behind endpoint:NAME@URL"
        ) from None
