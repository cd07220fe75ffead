"""What LangChain can be asked of every chain: its graph, its types, its prompts; and what its factory is given."""

import inspect
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.tracers.context import collect_runs

from chains.classify import classify
from chains.kice import kice_rag
from chains.mnli import mnli_zero_shot
from chains.registry import CHAINS, chain_factory, parameters, prompt_variables
from data.types import Item, Passage, Prediction
from retrievers.base import identified
from tests.support.scripted import ScriptedChatModel, ToolCallingModel

LABELS = ["refund", "card", "other"]
QUESTION = Item(
    id="kice/test/q01",
    inputs={"passage": "갑의 글", "question": "윗글과 일치하는 것은?", "extra": "보기"},
    choices=("하나", "둘", "셋"),
    target=2,
    group="p1",
)


class Bare(BaseRetriever):
    """What LangChain asks of a retriever and no more: documents without an id, a score or a passage."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(page_content="찾은 글"), Document(page_content="다른 글", metadata={"source": "a.md"})]


def build(name: str, model: Any = None) -> Runnable[Any, Any]:
    parts = {
        "model": model or ToolCallingModel(reply=lambda messages: "2"),
        "retriever": Bare(),
        "passages": [Passage(id="p1", text="갑의 글"), Passage(id="p2", text="을의 글")],
        "seed": 0,
        "meanings": {},
    }
    made: Runnable[Any, Any] = chain_factory(name)(**{need: parts[need] for need in CHAINS[name].needs})
    return made


def steps_of(chain: Runnable[Any, Any]) -> list[str]:
    """Return the names of a graph's nodes between the input and the output, in the order of its edges."""
    graph = chain.get_graph()
    following = {edge.source: edge.target for edge in graph.edges}
    node, names = graph.first_node(), []
    assert node is not None
    while (place := following.get(node.id)) is not None:
        node = graph.nodes[place]
        names.append(node.name)
    return names[:-1]


@pytest.mark.parametrize("name", CHAINS)
def test_the_graph_reads_as_the_chain_works(name: str) -> None:
    steps = steps_of(build(name))
    asks = ["fill in", "prompt", "agent" if name == "kice-agent" else "model", "read answer"]
    before = {f"{kind}-rag": ["retrieve"] for kind in ("kice", "choose")}
    before |= {f"{kind}-shuffled": ["other passage"] for kind in ("kice", "choose")}
    assert steps == [*before.get(name, ["labels"] if name == "mnli-zero-shot" else []), *asks]


@pytest.mark.parametrize("name", CHAINS)
def test_the_types_and_the_prompts_are_said(name: str) -> None:
    chain = build(name)
    taken = chain.get_input_jsonschema()
    assert "choices" in taken["properties"]
    # Every variable that is a field of an item, and of no chain's making, is said.
    texts = {"kice": {"question", "passage"}, "mnli": {"premise", "hypothesis"}, "choose": {"question", "passage"}}
    assert texts.get(name.split("-")[0], set()) <= taken["properties"].keys()
    assert chain.output_schema is Prediction and "choice" in chain.get_output_jsonschema()["properties"]
    (prompt,) = chain.get_prompts()
    assert isinstance(prompt, ChatPromptTemplate) and set(prompt.input_variables) <= set(prompt_variables(name) or ())


@pytest.mark.parametrize("name", CHAINS)
def test_what_a_chain_is_given_is_what_its_factory_declares(name: str) -> None:
    assert set(CHAINS[name].needs) <= parameters(name)
    kinds = {one.kind for one in inspect.signature(chain_factory(name)).parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    assert {"prompt", "answering"} <= parameters(name)


def test_the_steps_are_named_in_a_trace_too() -> None:
    chain = kice_rag(ScriptedChatModel(reply=lambda messages: "2번"), Bare())
    with collect_runs() as traced:
        answers = [chain.invoke(QUESTION.to_input()), *chain.batch([QUESTION.to_input()] * 2)]
    assert [[run.name for run in root.child_runs] for root in traced.traced_runs] == [
        ["retrieve", "prompt", "model", "read answer"]
    ] * 3
    read = traced.traced_runs[0].child_runs[-1]
    assert (read.inputs or {})["input"].content == "2번" and (read.outputs or {})["output"] == answers[0]
    assert answers == [chain.invoke(QUESTION.to_input())] * 3, "untraced, the same is read"


# ── Documents of any retriever ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, entry in CHAINS.items() if "retriever" in entry.needs])
def test_documents_without_id_or_score_work(name: str) -> None:
    model = ToolCallingModel(reply=lambda messages: "2")
    answer = build(name, model).invoke(QUESTION.to_input())
    assert answer.choice == 1
    if name != "kice-agent":
        assert len(set(answer.document_ids)) == 2 and answer.document_ids[1].startswith("a.md#")


def test_ids_and_scores_are_those_that_there_are_or_made_of_text_and_rank() -> None:
    given = [
        Document(id="own", page_content="a", metadata={"score": "0.5", "passage_id": "p"}),
        Document(page_content="b", metadata={"id": 7, "score": 2}),
        Document(page_content="c", metadata={"source": "f.md", "score": 1}),
        Document(page_content="d", metadata={"source": "f.md", "score": 1}),
    ]
    found = identified(given)
    assert [one.id for one in found[:2]] == ["own", "7"] and len({one.id for one in found}) == 4
    assert [one.metadata["passage_id"] for one in found] == ["p", "7", "f.md", "f.md"]
    assert [one.metadata["score"] for one in found] == [0.5, 2.0, 1.0, 1.0]
    assert identified(given)[2].id == found[2].id, "the same text has the same id each time"
    nameless = identified([Document(page_content="a", metadata={"score": 3}), Document(page_content="b")])
    assert [one.metadata["score"] for one in nameless] == [1.0, 0.5]
    whole = [Document(id="x", page_content="a", metadata={"score": 1.0, "passage_id": "p"})]
    assert identified(whole)[0] is whole[0]


# ── Inputs without choices ────────────────────────────────────────────────────────────────────────────────────────────


def test_choices_default_where_the_labels_are_fixed() -> None:
    model = ScriptedChatModel(reply=lambda messages: "card")
    chain = classify(model, labels=LABELS)
    assert chain.invoke({"text": "I lost it"}).choice == 1
    assert chain.batch([{"text": "I lost it"}, {"text": "x", "choices": ["card", "refund"]}])[1].choice == 0
    assert "- refund\n- card\n- other" in model.calls[0][-1].text
    assert "choices" not in chain.get_input_jsonschema().get("required", ())
    assert "choices" in classify(model).get_input_jsonschema()["required"]
    pair = mnli_zero_shot(ScriptedChatModel(reply=lambda messages: "neutral")).invoke(
        {"premise": "a", "hypothesis": "b"}
    )
    assert pair.choice == 1


# ── A prompt's variables are the item's fields ────────────────────────────────────────────────────────────────────────

MINE = """
id: mine
benchmark: classify
language: en
technique: mine
source: me
user: "{subject} | {body} | {labels}"
answer: {form: choice, max_tokens: 8}
"""


def test_a_prompt_may_name_the_item_s_own_texts(tmp_path: Any) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    model = ScriptedChatModel(reply=lambda messages: "card")
    entry = {"subject": "안녕 {body}", "body": "lost", "choices": LABELS}
    assert classify(model, prompt=str(path)).invoke(entry).choice == 1
    assert model.calls[0][-1].text == "안녕 {body} | lost | - refund\n- card\n- other"
    with pytest.raises(ValueError, match=r"names \{body\}, which is nothing of the item; allowed: .*labels, subject"):
        classify(model, prompt=str(path)).invoke({"subject": "a", "choices": LABELS})
