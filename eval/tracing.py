"""What an item's run looks like from outside: its trace's name, tags and metadata, and its transcript.

The same callbacks that LangSmith listens to tell the runner what was really sent to a model and what a
retriever really returned; the record keeps both, so that it can be read without a trace.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from data.types import Item, Message, Passage

# The message types of LangChain under the role names of chat APIs.
_ROLES = {"human": "user", "ai": "assistant"}


class Transcript(BaseCallbackHandler):
    """Listens to one item's run and keeps its messages and retrieved passages."""

    run_inline = True  # in the thread that runs the item, so that nothing is missing when it ends

    def __init__(self) -> None:
        self.messages: tuple[Message, ...] | None = None
        self.passages: tuple[Passage, ...] = ()

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        # A chain that asks more than once is kept as its last request, which carries the earlier turns.
        self.messages = tuple(Message(role=_ROLES.get(m.type, m.type), content=m.text) for m in messages[0])

    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **kwargs: Any) -> None:
        self.passages += tuple(_passage(document) for document in documents)


def _passage(document: Document) -> Passage:
    metadata = document.metadata
    return Passage(
        id=str(metadata.get("passage_id", document.id)),
        text=document.page_content,
        score=metadata.get("score"),
        chunk_id=document.id,
    )


def run_config(item: Item, transcript: Transcript, *, run: str, system: str, benchmark: str) -> RunnableConfig:
    """Return the config under which a predictor answers an item; its trace can be found by any of these."""
    return {
        "run_name": f"{system} {item.id}",
        "tags": [run, system, benchmark, *item.tags],
        "metadata": {"run": run, "system": system, "benchmark": benchmark, "item_id": item.id, "group": item.group},
        "callbacks": [transcript],
    }
