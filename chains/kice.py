"""KICE: the Korean CSAT 국어 exam, on the rungs of the retrieval ladder (`chains.rungs`).

Source: the exam in the format of https://github.com/NomaDamas/KICE_slayer_AI_Korean.
"""

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever

from chains.local.passage_fit import TooLong
from chains.predictor import Answering, Predictor
from chains.rungs import Layout, answer_shown, other_passage, retrieve
from chains.steps import ItemInput
from data.types import Inputs, Passage

VARIABLES = ("context", "question", "extra", "choices")


class KiceInput(ItemInput):
    """A question of the exam, with its passage and its 보기 where it has them."""

    question: str
    passage: str = ""
    extra: str = ""


def kice_prompt(
    model: BaseChatModel,
    *,
    prompt: str = "kice/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from the item's own passage: the exam as it is set (the oracle of the retrieval ladder)."""
    return answer_shown("oracle", LAYOUT, model, prompt, answering, too_long)


def kice_choices_only(
    model: BaseChatModel, *, prompt: str = "kice/minimal", answering: Answering = "auto"
) -> Predictor:
    """Answer from the choices alone: what beats guessing here is in how the choices are written, not in the exam.

    Source:
        Poliak et al. 2018 (*SEM), hypothesis-only baselines; Balepur et al. 2024 (ACL), the same for choices.
    """
    return answer_shown("choices-only", LAYOUT, model, prompt, answering)


def kice_closed_book(model: BaseChatModel, *, prompt: str = "kice/minimal", answering: Answering = "auto") -> Predictor:
    """Answer from the question and the choices alone."""
    return answer_shown("closed-book", LAYOUT, model, prompt, answering)


def kice_shuffled(
    model: BaseChatModel,
    passages: Sequence[Passage],
    seed: int,
    *,
    prompt: str = "kice/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer with the passage of other items in the place of the item's own: what a text does that cannot help.

    The prediction's `document_ids` name what was shown.

    Args:
        model: Any chat model.
        passages: The items' passages, whose ids are the items' groups.
        seed: Decides which passage stands for which.
        prompt: As `load_prompt` takes it.
        answering: As for `answer_with`.
        too_long: As for `answer_with`.

    Raises:
        ConfigurationError: There are no two different passages.
    """
    other = other_passage(passages, seed, LAYOUT)
    return other | answer_shown("shuffled", LAYOUT, model, prompt, answering, too_long)


def kice_rag(
    model: BaseChatModel,
    retriever: BaseRetriever,
    *,
    prompt: str = "kice/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from what `retriever` finds for the question and its choices; the item's own passage is not shown."""
    return retrieve(retriever, LAYOUT) | answer_shown("retrieved", LAYOUT, model, prompt, answering, too_long)


def retrieval_query(item: Inputs) -> str:
    """Return what is looked up for an item: the question, its 보기 and its choices."""
    return "\n".join(part for part in (item["question"], item.get("extra", ""), *item["choices"]) if part)


def prompt_variables(item: Inputs, context: str = "") -> dict[str, str]:
    """Return the values of `VARIABLES` for a question and the context that is shown with it."""
    extra = item.get("extra", "")
    return {
        "context": context,
        "question": item.get("question", ""),
        "extra": f"<보기>\n{extra}\n\n" if extra else "",
        "choices": "\n".join(f"{i}번: {choice}" for i, choice in enumerate(item["choices"], start=1)),
    }


LAYOUT = Layout("kice", KiceInput, prompt_variables, retrieval_query)
