"""Questions with choices of their own, of any benchmark: the rungs of the retrieval ladder (`chains.rungs`).

The words around a passage are those of the prompt's language.
"""

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever

from chains.examples import item_text
from chains.local.passage_fit import TooLong
from chains.predictor import Answering, Predictor
from chains.rungs import Layout, answer_shown, other_passage, retrieve
from chains.steps import ItemInput
from data.types import Inputs, Passage, texts_of_input

VARIABLES = ("context", "question", "choices")


class ChooseInput(ItemInput):
    """A question with its choices; an item without one has other texts, which are its question together."""

    question: str = ""
    passage: str = ""


def choose(
    model: BaseChatModel, *, prompt: str = "choose/minimal", answering: Answering = "auto", too_long: TooLong = "error"
) -> Predictor:
    """Answer from the item's own passage, where it has one."""
    return answer_shown("oracle", LAYOUT, model, prompt, answering, too_long)


def choose_choices_only(
    model: BaseChatModel, *, prompt: str = "choose/minimal", answering: Answering = "auto"
) -> Predictor:
    """Answer from the choices alone: what beats guessing here is in how the choices are written."""
    return answer_shown("choices-only", LAYOUT, model, prompt, answering)


def choose_closed_book(
    model: BaseChatModel, *, prompt: str = "choose/minimal", answering: Answering = "auto"
) -> Predictor:
    """Answer from the question and the choices alone."""
    return answer_shown("closed-book", LAYOUT, model, prompt, answering)


def choose_shuffled(
    model: BaseChatModel,
    passages: Sequence[Passage],
    seed: int,
    *,
    prompt: str = "choose/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer with the passage of other items in the place of the item's own, as `chains.rungs.other_passage` says."""
    other = other_passage(passages, seed, LAYOUT)
    return other | answer_shown("shuffled", LAYOUT, model, prompt, answering, too_long)


def choose_rag(
    model: BaseChatModel,
    retriever: BaseRetriever,
    *,
    prompt: str = "choose/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from what a retriever finds for the question and its choices; the item's own passage is not shown."""
    return retrieve(retriever, LAYOUT) | answer_shown("retrieved", LAYOUT, model, prompt, answering, too_long)


def retrieval_query(entry: Inputs) -> str:
    """Return what is looked up for an item: its question and its choices."""
    return "\n".join([question_of(entry), *entry["choices"]])


def question_of(entry: Inputs) -> str:
    """Return an item's question with its other texts, but for its passage; of an item without one, its texts."""
    if not entry.get("question"):
        return item_text(entry)
    others = {name: text for name, text in texts_of_input(entry).items() if name not in ("question", "passage")}
    return "\n".join([str(entry["question"]), *(f"{name}: {text}" for name, text in others.items() if text)])


def _values(entry: Inputs, context: str) -> dict[str, str]:
    choices = [f"{number}. {choice}" for number, choice in enumerate(entry["choices"], start=1)]
    return {"context": context, "question": question_of(entry), "choices": "\n".join(choices)}


LAYOUT = Layout("choose", ChooseInput, _values, retrieval_query)
