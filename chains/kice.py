"""KICE: the Korean CSAT 국어 exam answered with the item's own passage, without it, or with others.

The chains differ in nothing but what they show of an item, which makes them the rungs of a ladder: the choices alone,
no passage, another item's passage, retrieved ones, its own (see `chains.registry.RUNGS`).

Source: the exam in the format of https://github.com/NomaDamas/KICE_slayer_AI_Korean.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever

from chains.choose import block, retrieve
from chains.local.passage_fit import TooLong
from chains.predictor import Answering, Predictor, answer_with
from chains.prompt_files import Prompt, load_prompt
from chains.steps import Assign, ItemInput, Step
from data.common.errors import ConfigurationError
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
    loaded = load_prompt(prompt, benchmark="kice")
    return _answer(model, loaded, with_own_passage, answering, too_long)


def kice_choices_only(
    model: BaseChatModel, *, prompt: str = "kice/minimal", answering: Answering = "auto"
) -> Predictor:
    """Answer from the choices alone: what beats guessing here is in how the choices are written, not in the exam.

    Source:
        Poliak et al. 2018 (*SEM), hypothesis-only baselines; Balepur et al. 2024 (ACL), the same for choices.
    """
    loaded = load_prompt(prompt, benchmark="kice")
    return _answer(model, loaded, choices_alone, answering)


def kice_closed_book(model: BaseChatModel, *, prompt: str = "kice/minimal", answering: Answering = "auto") -> Predictor:
    """Answer from the question and the choices alone."""
    loaded = load_prompt(prompt, benchmark="kice")
    return _answer(model, loaded, without_passage, answering)


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

    Items of one passage share another, and an item without a passage is shown none, so that only the pairing differs
    from `kice_prompt`. The prediction's `document_ids` name what was shown.

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
    loaded = load_prompt(prompt, benchmark="kice")
    exchange = Step(function=partial(_exchanged, shuffle_passages(passages, seed)), gives=list)
    other = Assign(name="other passage", key="documents", step=exchange, once=True, takes=KiceInput)
    return other | _answer(model, loaded, with_other_passage, answering, too_long)


def kice_rag(
    model: BaseChatModel,
    retriever: BaseRetriever,
    *,
    prompt: str = "kice/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from what `retriever` finds for the question and its choices; the item's own passage is not shown."""
    loaded = load_prompt(prompt, benchmark="kice")
    found = retrieve(retriever, retrieval_query, takes=KiceInput)
    return found | _answer(model, loaded, with_documents, answering, too_long)


def _answer(
    model: BaseChatModel,
    prompt: Prompt,
    render: Callable[[Inputs], dict[str, str]],
    answering: Answering,
    too_long: TooLong = "error",
) -> Predictor:
    return answer_with(model, prompt, render=render, answering=answering, too_long=too_long, takes=KiceInput)


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


def retrieval_query(item: Inputs) -> str:
    """Return what is looked up for an item: the question, its 보기 and its choices."""
    return "\n".join(part for part in (item["question"], item.get("extra", ""), *item["choices"]) if part)


def with_own_passage(item: Inputs) -> dict[str, str]:
    return _variables(item, context=block("지문", item.get("passage", "")))


def without_passage(item: Inputs) -> dict[str, str]:
    return _variables(item, context="")


def choices_alone(item: Inputs) -> dict[str, str]:
    return _variables({"question": "", "choices": item["choices"]}, context="")


def with_other_passage(item: Inputs) -> dict[str, str]:
    documents: list[Document] = item["documents"]
    return _variables(item, context="".join(block("지문", document.page_content) for document in documents))


def with_documents(item: Inputs) -> dict[str, str]:
    documents: list[Document] = item["documents"]
    blocks = [block(f"자료 {i}", document.page_content) for i, document in enumerate(documents, start=1)]
    return _variables(item, context="".join(blocks))


def _variables(item: Inputs, *, context: str) -> dict[str, str]:
    extra = item.get("extra", "")
    return {
        "context": context,
        "question": item["question"],
        "extra": f"<보기>\n{extra}\n\n" if extra else "",
        "choices": "\n".join(f"{i}번: {choice}" for i, choice in enumerate(item["choices"], start=1)),
    }
