"""Chains: what is shown to the model, how its reply becomes a prediction, and that each is a Runnable."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tracers.context import collect_runs

from chains.kice import (
    kice_choices_only,
    kice_closed_book,
    kice_prompt,
    kice_rag,
    kice_shuffled,
)
from chains.registry import CHAINS, RUNGS, chain_entry, chain_factory
from chains.rungs import shuffle_passages
from data.common.errors import ConfigurationError
from data.types import Item, Passage, Prediction
from tests.support.scripted import ScriptedChatModel, ToolCallingModel

KICE_ITEM = Item(
    id="kice/test/q01",
    inputs={"passage": "갑은 을에게 {x}를 주었다. {{7*7}}", "question": "윗글과 일치하는 것은?", "extra": "보기의 글"},
    choices=("하나", "둘", "셋", "넷", "다섯"),
    target=2,
    group="kice/test/p1",
)
MNLI_ITEM = Item(
    id="mnli/test/1",
    inputs={"premise": "A dog {sleeps}.", "hypothesis": "An animal rests."},
    choices=("entailment", "neutral", "contradiction"),
    target=0,
    group="p1",
)
PASSAGES = [
    Passage(id="kice/test/p1", text=KICE_ITEM.inputs["passage"]),
    Passage(id="kice/test/p2", text="남의 지문 하나"),
    Passage(id="kice/test/p3", text="남의 지문 둘"),
]
ITEMS = {"kice": KICE_ITEM, "mnli": MNLI_ITEM, "": MNLI_ITEM}  # by benchmark; "" is any


class TwoDocuments(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        if "넘어뜨려라" in query:
            raise ConnectionError("the index is gone")
        return [
            Document(id="a#0", page_content="찾은 글 하나", metadata={"passage_id": "a", "score": 2.0}),
            Document(id="b#1", page_content="찾은 글 둘", metadata={"passage_id": "b", "score": 1.0}),
        ]


def build(name: str, model: Any) -> Any:
    parts = {"model": model, "retriever": TwoDocuments(), "passages": PASSAGES, "seed": 0, "meanings": {}}
    return chain_factory(name)(**{need: parts[need] for need in chain_entry(name).needs})


def reply_of(benchmark: str) -> str:
    return "3번" if benchmark == "kice" else "neutral"


def text_of(messages: list[BaseMessage]) -> str:
    return "\n".join(message.text for message in messages)


@pytest.mark.parametrize("name", CHAINS)
def test_every_chain_composes_like_any_runnable(name: str) -> None:
    item = ITEMS[CHAINS[name].benchmark]
    model = ToolCallingModel(reply=lambda messages: reply_of(CHAINS[name].benchmark))
    chain = build(name, model)
    expected = chain.invoke(item.to_input())
    assert isinstance(expected, Prediction)
    assert expected.choice == (2 if CHAINS[name].benchmark == "kice" else 1)
    assert chain.batch([item.to_input()] * 3) == [expected] * 3
    assert list(chain.stream(item.to_input())) == [expected]
    assert chain.with_config(tags=["t"]).invoke(item.to_input()) == expected
    assert (chain | (lambda prediction: prediction.choice)).invoke(item.to_input()) == expected.choice


@pytest.mark.parametrize("name", CHAINS)
async def test_every_chain_answers_asynchronously(name: str) -> None:
    model = ToolCallingModel(reply=lambda messages: reply_of(CHAINS[name].benchmark))
    answer = await build(name, model).ainvoke(ITEMS[CHAINS[name].benchmark].to_input())
    assert answer.status == "ok"


@pytest.mark.parametrize("name", CHAINS)
def test_no_chain_shows_the_target(name: str) -> None:
    item = ITEMS[CHAINS[name].benchmark]
    model = ToolCallingModel(reply=lambda messages: reply_of(CHAINS[name].benchmark))
    for target in range(len(item.choices)):
        build(name, model).invoke(item.model_copy(update={"target": target}).to_input())
    assert len({text_of(call) for call in model.calls}) == 1


def test_what_each_kice_chain_shows() -> None:
    model = ScriptedChatModel(reply=lambda messages: "3번")
    for chain in (kice_prompt(model), kice_closed_book(model), kice_rag(model, TwoDocuments())):
        chain.invoke(KICE_ITEM.to_input())
    own, none, found = (text_of(call) for call in model.calls)
    passage = KICE_ITEM.inputs["passage"]
    assert passage in own and passage not in none and passage not in found
    assert "찾은 글 하나" in found and found.index("찾은 글 하나") < found.index("찾은 글 둘")
    for text in (own, none, found):
        assert "<보기>\n보기의 글" in text and "3번: 셋" in text


def test_choices_alone_are_shown_without_question_or_passage() -> None:
    model = ScriptedChatModel(reply=lambda messages: "3번")
    assert kice_choices_only(model).invoke(KICE_ITEM.to_input()).choice == 2
    (text,) = map(text_of, model.calls)
    assert "3번: 셋" in text
    assert not any(shown in text for shown in ("일치하는", "보기의 글", KICE_ITEM.inputs["passage"]))


def test_a_shuffled_passage_stands_where_the_own_one_would_and_is_recorded() -> None:
    model = ScriptedChatModel(reply=lambda messages: "3번")
    answer = kice_shuffled(model, PASSAGES, 0).invoke(KICE_ITEM.to_input())
    kice_prompt(model).invoke(KICE_ITEM.to_input())
    shuffled, own = map(text_of, model.calls)
    shown = next(passage for passage in PASSAGES if (passage.id,) == answer.document_ids)
    assert shown.text in shuffled
    assert shuffled.replace(shown.text, KICE_ITEM.inputs["passage"]) == own


def test_an_item_without_a_passage_is_shown_no_other() -> None:
    model = ScriptedChatModel(reply=lambda messages: "3번")
    alone = KICE_ITEM.model_copy(update={"inputs": {**KICE_ITEM.inputs, "passage": ""}, "group": "kice/test/q9"})
    assert kice_shuffled(model, PASSAGES, 0).invoke(alone.to_input()).document_ids == ()
    kice_prompt(model).invoke(alone.to_input())
    assert text_of(model.calls[0]) == text_of(model.calls[1])


@given(n=st.integers(2, 12), seed=st.integers(0, 2**32), twins=st.booleans())
def test_shuffling_shows_every_passage_once_and_never_the_own_text(n: int, seed: int, twins: bool) -> None:
    passages = [Passage(id=f"p{i}", text=f"지문 {i}") for i in range(n)]
    twin = [Passage(id="twin", text="지문 0")] if twins else []
    other = shuffle_passages([*passages, *twin], seed)
    assert all(other[passage.id].text != passage.text for passage in [*passages, *twin])
    assert sorted(other[passage.id].text for passage in passages) == sorted(passage.text for passage in passages)
    assert shuffle_passages([*twin, *reversed(passages)], seed) == other


def test_shuffling_needs_two_different_passages() -> None:
    same = [Passage(id="p1", text="같은 글"), Passage(id="p2", text="같은 글")]
    with pytest.raises(ConfigurationError, match="two different passages"):
        kice_shuffled(ScriptedChatModel(reply=lambda messages: "3번"), same, 0)


def test_every_rung_has_its_chain_for_the_exam_and_for_any_questions() -> None:
    for name in ("kice", "choose"):
        assert {entry.rung for chain, entry in CHAINS.items() if chain.startswith(name)} >= set(RUNGS)


def test_what_each_chain_of_any_questions_shows() -> None:
    """The passage that is shown is the only difference; alone, the choices have no question either."""
    model = ScriptedChatModel(reply=lambda messages: "3")
    names = ("choose-choices-only", "choose-closed-book", "choose-shuffled", "choose-rag", "choose")
    for name in names:
        assert build(name, model).invoke(KICE_ITEM.to_input()).choice == 2
    alone, none, other, found, own = (text_of(call) for call in model.calls)
    passage, question = KICE_ITEM.inputs["passage"], KICE_ITEM.inputs["question"]
    assert question not in alone and "3. 셋" in alone
    assert own.replace(f"[Passage]\n{passage}\n\n", "") == none
    assert passage not in none + other + found and "남의 지문" in other and "[Source 1]\n찾은 글 하나" in found


def test_an_item_is_text_and_never_a_template() -> None:
    model = ScriptedChatModel(reply=lambda messages: "3번")
    kice_prompt(model).invoke(KICE_ITEM.to_input())
    assert "{x}" in text_of(model.calls[0]) and "{{7*7}}" in text_of(model.calls[0])


def test_rag_names_what_it_found() -> None:
    model = ScriptedChatModel(reply=lambda messages: "3번")
    assert kice_rag(model, TwoDocuments()).invoke(KICE_ITEM.to_input()).document_ids == ("a#0", "b#1")


def test_one_failing_item_does_not_sink_its_batch() -> None:
    def reply(messages: list[BaseMessage]) -> str:
        if "망가진 질문" in text_of(messages):
            raise TimeoutError("no answer in time")
        return "3번"

    broken = KICE_ITEM.model_copy(update={"inputs": {**KICE_ITEM.inputs, "question": "망가진 질문"}})
    lost = KICE_ITEM.model_copy(update={"inputs": {**KICE_ITEM.inputs, "question": "넘어뜨려라"}})
    chain = kice_rag(ScriptedChatModel(reply=reply), TwoDocuments())
    items = [KICE_ITEM, broken, KICE_ITEM, lost]
    answers = chain.batch([item.to_input() for item in items], return_exceptions=True)
    assert [type(answer) for answer in answers] == [Prediction, TimeoutError, Prediction, ConnectionError]


def test_a_chain_can_be_retried() -> None:
    failures = iter([ConnectionError("reset")])

    def reply(messages: list[BaseMessage]) -> str:
        for failure in failures:
            raise failure
        return "3번"

    chain = kice_prompt(ScriptedChatModel(reply=reply)).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    assert chain.invoke(KICE_ITEM.to_input()).choice == 2


def test_a_cut_off_reply_and_its_tokens_are_recorded() -> None:
    reply = AIMessage(
        "먼저 1번을 보면",
        response_metadata={"finish_reason": "length"},
        usage_metadata={
            "input_tokens": 10,
            "output_tokens": 5,
            "total_tokens": 15,
            "input_token_details": {"cache_read": 4},
            "output_token_details": {"reasoning": 2},
        },
    )
    prediction = kice_prompt(ScriptedChatModel(reply=lambda messages: reply)).invoke(KICE_ITEM.to_input())
    assert (prediction.choice, prediction.status) == (None, "truncated")
    assert prediction.usage == {"input_tokens": 10, "output_tokens": 5, "cached_tokens": 4, "reasoning_tokens": 2}


@pytest.mark.parametrize(
    ("metadata", "extra", "status"),
    [
        ({"finish_reason": "length"}, {}, "truncated"),
        ({"stop_reason": "max_tokens"}, {}, "truncated"),
        ({"done_reason": "length"}, {}, "truncated"),
        ({"finish_reason": "MAX_TOKENS"}, {}, "truncated"),
        ({"status": "incomplete"}, {}, "truncated"),
        ({"finish_reason": "stop"}, {}, "none"),
        ({"finish_reason": "content_filter"}, {}, "refusal"),
        ({"finish_reason": "stop"}, {"refusal": "I will not."}, "refusal"),
    ],
)
def test_every_provider_s_word_for_why_it_stopped_is_read(
    metadata: dict[str, str], extra: dict[str, str], status: str
) -> None:
    reply = AIMessage("지문을 보면 1번: 적절", response_metadata=metadata, additional_kwargs=extra)
    assert kice_prompt(ScriptedChatModel(reply=lambda messages: reply)).invoke(KICE_ITEM.to_input()).status == status


def test_a_trace_holds_the_whole_chain() -> None:
    chain = kice_rag(ScriptedChatModel(reply=lambda messages: "3번"), TwoDocuments())
    with collect_runs() as traced:
        chain.invoke(KICE_ITEM.to_input(), {"run_name": "q01", "tags": ["kice"], "metadata": {"item_id": "q01"}})
    (root,) = traced.traced_runs
    assert root.name == "q01" and "kice" in (root.tags or []) and root.extra["metadata"]["item_id"] == "q01"
    kinds, waiting = [], [root]
    while waiting:
        run = waiting.pop()
        kinds.append(run.run_type)
        waiting += run.child_runs
    assert {"retriever", "prompt", "llm"} <= set(kinds)


def test_scoring_is_refused_where_it_cannot_be_done() -> None:
    with pytest.raises(ConfigurationError, match="no label likelihoods"):
        kice_prompt(ScriptedChatModel(reply=lambda messages: ""), answering="score")


def test_an_unknown_chain_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown chain 'kice-rga'.*Did you mean 'kice-rag'"):
        chain_entry("kice-rga")


def test_a_chain_of_ones_own_is_described_by_its_parameters() -> None:
    entry = chain_entry("examples.own_chain:cautious")
    assert entry.needs == ("model",) and entry.prompt == ""
