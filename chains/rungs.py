"""The rungs of the retrieval ladder: what a chain shows of a question beside its choices, from nothing to its passage.

    input ─ (documents = another passage | what a retriever finds) ─ fill in ─ prompt ─ model ─ read answer → Prediction

In come a chat model and the layout of a benchmark's questions; out comes a predictor. The chains of one layout differ
in nothing but what they show: the choices alone, no passage, another question's, retrieved ones, its own.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel

from chains.local.passage_fit import TooLong
from chains.predictor import Answering, Predictor, answer_with
from chains.prompt_files import load_prompt
from chains.registry import Rung
from chains.steps import Assign, Step
from data.common.errors import ConfigurationError
from data.types import Inputs, Passage
from retrievers.base import identified

_TITLES = {"ko": ("지문", "자료 {n}"), "en": ("Passage", "Source {n}")}  # by the prompt's language


class Layout(NamedTuple):
    """How the questions of a benchmark are written into its prompts.

    Attributes:
        benchmark: Whose prompts they are.
        takes: What an input must hold.
        values: Returns the prompt's variables, given an input and the context that is shown with it.
        query: Returns what is looked up for an input.
    """

    benchmark: str
    takes: type[BaseModel]
    values: Callable[[Inputs, str], dict[str, str]]
    query: Callable[[Inputs], str]


def answer_shown(
    shown: Rung,
    layout: Layout,
    model: BaseChatModel,
    prompt: str,
    answering: Answering,
    too_long: TooLong = "error",
) -> Predictor:
    """Return the chain that answers from what a rung shows; documents that it shows are in the input by then.

    Args:
        shown: The rung.
        layout: How the questions are written.
        model: Any chat model.
        prompt: As `load_prompt` takes it.
        answering: As for `answer_with`.
        too_long: As for `answer_with`.
    """
    loaded = load_prompt(prompt, benchmark=layout.benchmark)
    render = partial(prompt_values, shown=shown, layout=layout, language=loaded.language)
    return answer_with(model, loaded, render=render, answering=answering, too_long=too_long, takes=layout.takes)


def prompt_values(entry: Inputs, *, shown: Rung, layout: Layout, language: str) -> dict[str, str]:
    """Return the values of a prompt's variables for an input.

    Args:
        entry: The input, with its documents, if the rung shows any.
        shown: The rung.
        layout: How the questions are written.
        language: The prompt's language, as a BCP 47 code: that of the words around a passage.
    """
    passage, source = _TITLES.get(language, _TITLES["en"])
    documents: Sequence[Document] = entry.get("documents", ())
    blocks = {
        "oracle": lambda: [block(passage, entry.get("passage", ""))],
        "shuffled": lambda: [block(passage, document.page_content) for document in documents],
        "retrieved": lambda: [block(source.format(n=n), one.page_content) for n, one in enumerate(documents, start=1)],
    }
    context = "".join(blocks[shown]()) if shown in blocks else ""
    return layout.values({"choices": entry["choices"]} if shown == "choices-only" else entry, context)


def block(title: str, text: str) -> str:
    """Return a text under its title; nothing where there is none."""
    return f"[{title}]\n{text}\n\n" if text else ""


def retrieve(retriever: BaseRetriever, layout: Layout) -> Runnable[Inputs, Inputs]:
    """Return the step that adds the documents found for an input."""
    found = RunnableLambda(layout.query, name="retrieval_query") | retriever | Step(function=identified, gives=list)
    return Assign(name="retrieve", key="documents", step=found, once=True, takes=layout.takes)


def other_passage(passages: Sequence[Passage], seed: int, layout: Layout) -> Runnable[Inputs, Inputs]:
    """Return the step that adds another question's passage, where a question has one: a text that cannot help.

    Questions about one passage get the same other one, so that only the pairing differs from their own.

    Args:
        passages: The items' passages, whose ids are the items' groups.
        seed: Decides which passage stands for which.
        layout: Says what an input holds.

    Raises:
        ConfigurationError: There are no two different passages.
    """
    exchange = Step(function=partial(_exchanged, shuffle_passages(passages, seed)), gives=list)
    return Assign(name="other passage", key="documents", step=exchange, once=True, takes=layout.takes)


def shuffle_passages(passages: Sequence[Passage], seed: int) -> dict[str, Passage]:
    """Give each passage's id another passage, each being taken once: a shuffled circle, in which the next one is due.

    Passages of the same text are one, so that no item is shown its own under another name.

    Raises:
        ConfigurationError: There are no two different passages.
    """
    by_text: dict[str, Passage] = {}
    for passage in sorted(passages, key=lambda passage: passage.id):
        by_text.setdefault(passage.text, passage)
    circle = list(by_text.values())
    if len(circle) < 2:
        raise ConfigurationError("shuffled passages need items with two different passages; give more items")
    random.Random(seed).shuffle(circle)  # noqa: S311 -- repeatable, not secret
    following = {one.text: other for one, other in zip(circle, [*circle[1:], circle[0]], strict=True)}
    return {passage.id: following[passage.text] for passage in passages}


def _exchanged(other: dict[str, Passage], item: Inputs) -> list[Document]:
    if not item.get("passage", "").strip():
        return []
    passage = other.get(item["group"])
    if passage is None:
        raise ValueError(f"no passage stands for that of group '{item['group']}'")
    return [Document(id=passage.id, page_content=passage.text)]
