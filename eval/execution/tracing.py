"""What an item's run looks like from outside: its trace's name, tags and metadata, and its transcript.

The same callbacks that LangSmith listens to tell the runner what was really sent to a model and what a
retriever really returned; the record keeps both, so that it can be read without a trace.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig

from data.common.parsing import whole_strings
from data.common.text import text_of, whole_characters
from data.types import TRIAL, Item, Message, Passage, Prediction, ToolCall

# The message types of LangChain under the role names of chat APIs.
_ROLES = {"human": "user", "ai": "assistant"}


class Transcript(BaseCallbackHandler):
    """Listens to one item's run and keeps its messages and retrieved passages."""

    run_inline = True  # in the thread that runs the item, so that nothing is missing when it ends

    def __init__(self) -> None:
        self.passages: tuple[Passage, ...] = ()
        self._requests: dict[int, tuple[Message, ...]] = {}  # by the number of the trial

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        # Of a trial with several calls the last request is kept, which carries the earlier messages.
        trial = (kwargs.get("metadata") or {}).get(TRIAL, 0)
        self._requests[trial] = sent_messages(messages[0])

    @property
    def messages(self) -> tuple[Message, ...] | None:
        """What was sent; of an item with several trials, in the first one."""
        return self._requests[min(self._requests)] if self._requests else None

    def complete(self, prediction: Prediction) -> Prediction:
        """Put what was sent into the trials, where it differs from what `messages` says."""
        sent = [self._requests.get(number) for number in range(len(prediction.asks))]
        asks = [
            ask if request == self.messages else ask.model_copy(update={"messages": request})
            for ask, request in zip(prediction.asks, sent, strict=True)
        ]
        return prediction.model_copy(update={"asks": tuple(asks)}) if asks else prediction

    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any) -> None:
        from retrievers.base import identified  # here, since most runs over an API look nothing up

        self.passages += tuple(_passage(document) for document in identified(documents))


def sent_messages(messages: Sequence[BaseMessage]) -> tuple[Message, ...]:
    """Return messages as a record keeps them."""
    return tuple(map(_message, messages))


def _message(message: BaseMessage) -> Message:
    calls = message.tool_calls if isinstance(message, AIMessage) else ()
    return Message(
        role=_ROLES.get(message.type, message.type),
        content=whole_characters(message.text),
        tool_calls=tuple(ToolCall(name=call["name"], arguments=call["args"]) for call in whole_strings(calls)),
    )


def _passage(document: Document) -> Passage:
    """Return a document as a record keeps it; it has an id, a passage and a score (`retrievers.base.identified`)."""
    metadata = document.metadata
    return Passage(
        id=text_of(metadata["passage_id"]),
        text=whole_characters(document.page_content),
        score=float(metadata["score"]),
        chunk_id=document.id,
    )


def run_config(
    item: Item, transcript: Transcript, attempt: int = 1, /, *, run: str, system: str, benchmark: str
) -> RunnableConfig:
    """Return the config under which a predictor answers an item; its trace can be found by any of these.

    Each attempt at an item has a trace of its own.
    """
    names = {"run": run, "system": system, "benchmark": benchmark, "item_id": item.id}
    return {
        "run_name": f"{system} {item.id}",
        "tags": [*names.values(), *item.tags],
        "metadata": {**names, "group": item.group, "attempt": attempt},
        "callbacks": [transcript],
    }
