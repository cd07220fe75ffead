"""KICE: the Korean CSAT 국어 exam answered with the item's own passage, without it, or with retrieved ones.

Source: the exam in the format of https://github.com/NomaDamas/KICE_slayer_AI_Korean.
"""

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from chains.context import TooLong
from chains.predictor import Answering, Assign, Inputs, Predictor, answer_with
from chains.templates import load_prompt

VARIABLES = ("context", "question", "extra", "choices")


def kice_prompt(
    model: BaseChatModel,
    *,
    prompt: str = "kice/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from the item's own passage: the exam as it is set (the oracle of the retrieval ladder)."""
    loaded = load_prompt(prompt, variables=VARIABLES, benchmark="kice")
    return answer_with(model, loaded, render=with_own_passage, answering=answering, too_long=too_long)


def kice_closed_book(model: BaseChatModel, *, prompt: str = "kice/minimal", answering: Answering = "auto") -> Predictor:
    """Answer from the question and the choices alone."""
    loaded = load_prompt(prompt, variables=VARIABLES, benchmark="kice")
    return answer_with(model, loaded, render=without_passage, answering=answering)


def kice_rag(
    model: BaseChatModel,
    retriever: BaseRetriever,
    *,
    prompt: str = "kice/minimal",
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Answer from what `retriever` finds for the question and its choices; the item's own passage is not shown."""
    loaded = load_prompt(prompt, variables=VARIABLES, benchmark="kice")
    retrieve = Assign(key="documents", step=RunnableLambda(retrieval_query, name="retrieval_query") | retriever)
    return retrieve | answer_with(model, loaded, render=with_documents, answering=answering, too_long=too_long)


def retrieval_query(item: Inputs) -> str:
    """Return what is looked up for an item: the question, its 보기 and its choices."""
    return "\n".join(part for part in (item["question"], item.get("extra", ""), *item["choices"]) if part)


def with_own_passage(item: Inputs) -> dict[str, str]:
    return _variables(item, context=_block("지문", item.get("passage", "")))


def without_passage(item: Inputs) -> dict[str, str]:
    return _variables(item, context="")


def with_documents(item: Inputs) -> dict[str, str]:
    documents: list[Document] = item["documents"]
    blocks = [_block(f"자료 {i}", document.page_content) for i, document in enumerate(documents, start=1)]
    return _variables(item, context="".join(blocks))


def _variables(item: Inputs, *, context: str) -> dict[str, str]:
    extra = item.get("extra", "")
    return {
        "context": context,
        "question": item["question"],
        "extra": f"<보기>\n{extra}\n\n" if extra else "",
        "choices": "\n".join(f"{i}번: {choice}" for i, choice in enumerate(item["choices"], start=1)),
    }


def _block(title: str, text: str) -> str:
    return f"[{title}]\n{text}\n\n" if text else ""
