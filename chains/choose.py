"""Questions with choices of their own, of any benchmark: from their passage, from none, or from what is retrieved.

    input ─ (documents = retriever(question and choices)) ─ prompt ─ model ─ read reply → Prediction

The words around a passage are those of the prompt's language.
"""

from collections.abc import Callable, Sequence
from functools import partial

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel

from chains.examples import item_text
from chains.local.passage_fit import TooLong
from chains.predictor import Answering, Predictor, answer_with
from chains.prompt_files import load_prompt
from chains.steps import Assign, ItemInput, Step
from data.types import Inputs, texts_of_input
from retrievers.base import identified

VARIABLES = ("context", "question", "choices")
_TITLES = {"ko": ("지문", "자료 {n}"), "en": ("Passage", "Source {n}")}  # by the prompt's language


class ChooseInput(ItemInput):
    """A question with its choices; an item without one has other texts, which are its question together."""

    question: str = ""
    passage: str = ""


def choose(
    model: BaseChatModel, *, prompt: str = "choose/minimal", answering: Answering = "auto", too_long: TooLong = "error"
) -> Predictor:
    """Answer from the item's own passage, where it has one."""
    return _chain(model, prompt, answering, too_long, own=True)


def choose_closed_book(
    model: BaseChatModel, *, prompt: str = "choose/minimal", answering: Answering = "auto"
) -> Predictor:
    """Answer from the question and the choices alone."""
    return _chain(model, prompt, answering, "error", own=False)


def choose_rag(
    model: BaseChatModel,
    retriever: BaseRetriever,
    *,
    prompt: str = "choose/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from what a retriever finds for the question and its choices; the item's own passage is not shown."""
    return retrieve(retriever, retrieval_query, takes=ChooseInput) | _chain(
        model, prompt, answering, too_long, own=False
    )


def retrieve(
    retriever: BaseRetriever, query: Callable[[Inputs], str], *, takes: type[BaseModel]
) -> Runnable[Inputs, Inputs]:
    """Return the step that adds the documents found for what `query` makes of an item, which is of the type `takes`."""
    found = RunnableLambda(query, name="retrieval_query") | retriever | Step(function=identified, gives=list)
    return Assign(name="retrieve", key="documents", step=found, once=True, takes=takes)


def _chain(model: BaseChatModel, prompt: str, answering: Answering, too_long: TooLong, *, own: bool) -> Predictor:
    loaded = load_prompt(prompt, benchmark="choose")
    render = partial(prompt_values, language=loaded.language, own=own)
    return answer_with(model, loaded, render=render, answering=answering, too_long=too_long, takes=ChooseInput)


def retrieval_query(entry: Inputs) -> str:
    """Return what is looked up for an item: its question and its choices."""
    return "\n".join([question_of(entry), *entry["choices"]])


def question_of(entry: Inputs) -> str:
    """Return an item's question with its other texts, but for its passage; of an item without one, its texts."""
    if not entry.get("question"):
        return item_text(entry)
    others = {name: text for name, text in texts_of_input(entry).items() if name not in ("question", "passage")}
    return "\n".join([str(entry["question"]), *(f"{name}: {text}" for name, text in others.items() if text)])


def prompt_values(entry: Inputs, *, language: str, own: bool = True) -> dict[str, str]:
    """Return the values of a prompt's `VARIABLES` for an input.

    Args:
        entry: The input, with the documents that were retrieved, if any were.
        language: The prompt's language, as a BCP 47 code.
        own: Whether the item's own passage is shown.
    """
    passage, source = _TITLES.get(language, _TITLES["en"])
    documents: Sequence[Document] = entry.get("documents", ())
    blocks = [block(source.format(n=n), document.page_content) for n, document in enumerate(documents, start=1)]
    if own:
        blocks.append(block(passage, entry.get("passage", "")))
    choices = [f"{number}. {choice}" for number, choice in enumerate(entry["choices"], start=1)]
    return {"context": "".join(blocks), "question": question_of(entry), "choices": "\n".join(choices)}


def block(title: str, text: str) -> str:
    """Return a text under its title; nothing where there is none."""
    return f"[{title}]\n{text}\n\n" if text else ""
