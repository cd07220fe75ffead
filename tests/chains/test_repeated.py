"""Items asked several times: rotated choices are mapped back, votes are counted, and a fault stays its item's own."""

import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from pydantic import Field

from chains.kice import kice_rag
from chains.mnli import mnli_zero_shot
from chains.models.request_fields import with_seed
from chains.models.specs import load_chat_model
from chains.repeated import Repeated, fault_of, majority, orders, repeated
from data.types import Prediction, Record, Trial
from eval.cli.parser import main
from eval.plan.settings.specs import SystemSpec
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support import scripted_models
from tests.support.exam_file import exam, write_exam
from tests.support.scripted import ScriptedChatModel

MODELS = "tests.support.scripted_models"


@pytest.fixture(autouse=True)
def runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.rundir.names.RUNS_DIR", tmp_path / "runs")


def run(folder: Path, model: str, *more: str, n_passages: int = 4, chain: str = "kice-prompt") -> tuple[int, Path]:
    """Run one system over an exam of five items a passage; return the exit code and the run."""
    out = folder / "out"
    data = folder / "2030_11_KICE.json"
    if not data.exists():
        write_exam(folder, exam(n_passages))
    asked = ["run", "kice", "--data", str(data), "--chain", chain, "--model", f"{MODELS}:{model}"]
    return main([*asked, "--out", str(out), *more]), out


def records_of(run_dir: Path) -> list[Record]:
    (name,) = read_manifest(run_dir).systems
    return list(read_records(records_path(run_dir, name)))


def predictions(run_dir: Path) -> list[Prediction]:
    records = records_of(run_dir)
    found = [record.prediction for record in records if record.prediction]
    assert len(found) == len(records)
    return found


def ask(choice: int | None, *, n: int = 3, probs: tuple[float, ...] | None = None) -> Trial:
    return Trial(order=tuple(range(n)), choice=choice, status="none" if choice is None else "ok", probs=probs)


def test_every_choice_is_shown_once_in_every_position() -> None:
    shown = orders(5, "cyclic")
    assert shown[0] == (0, 1, 2, 3, 4)
    assert all(sorted(column) == list(range(5)) for column in zip(*shown, strict=True))
    assert orders(5, None) == [(0, 1, 2, 3, 4)]


def test_what_knows_the_answer_keeps_it_in_every_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KNOWN", "선택지 4")
    code, out = run(tmp_path, "knowing", "--permute", "cyclic")
    assert code == 0
    for record in records_of(out):
        prediction = record.prediction
        assert prediction is not None
        assert (prediction.choice, prediction.rule) == (3, "majority")
        assert prediction.probs == (0, 0, 0, 1, 0)
        assert prediction.probs_source == "votes"
        # the number that was said is that of the position; what was said stays as it was
        assert [one.raw for one in prediction.asks] == [f"정답: {position}번" for position in (4, 3, 2, 1, 5)]
        assert [one.order.index(3) + 1 for one in prediction.asks] == [4, 3, 2, 1, 5]
        for one in prediction.asks:
            messages = one.messages or record.messages
            assert messages is not None
            lines = [line for line in messages[-1].content.splitlines() if "번: " in line]
            assert lines == [f"{i + 1}번: {record.item.choices[own]}" for i, own in enumerate(one.order)]


def test_always_the_first_choice_falls_to_chance(tmp_path: Path) -> None:
    _, plain = run(tmp_path, "first", n_passages=40)
    assert {prediction.choice for prediction in predictions(plain)} == {0}
    (tmp_path / "permuted").mkdir()
    _, permuted = run(tmp_path / "permuted", "first", "--permute", "cyclic", n_passages=40)
    answers = predictions(permuted)
    assert {prediction.rule for prediction in answers} == {"tie-drawn"}
    drawn = Counter(prediction.choice for prediction in answers)
    assert max(drawn.values()) < 60  # of 200, each choice about 40 times
    summary = json.loads((permuted / "summary.json").read_text())
    accuracy = summary["evaluations"][0]["systems"][0]["scores"]["accuracy"]
    assert 0.12 < accuracy < 0.28
    assert any("not distinguishable from guessing (20.0%)" in sentence for sentence in summary["conclusion"])


def test_tokens_are_summed_and_the_manifest_says_how_it_was_asked(tmp_path: Path) -> None:
    _, out = run(tmp_path, "first", "--permute", "cyclic", "--limit", "2")
    assert all(prediction.usage == {"input_tokens": 500, "output_tokens": 25} for prediction in predictions(out))
    (system,) = read_manifest(out).systems.values()
    assert system.permute == "cyclic"


def test_votes_have_seeds_of_their_own_and_are_shares(tmp_path: Path) -> None:
    code, out = run(tmp_path, "sampled", "--votes", "20", "--temperature", "0.7", "--limit", "3")
    assert code == 0
    for prediction in predictions(out):
        said = Counter(one.choice for one in prediction.asks)
        assert len(prediction.asks) == 20
        assert len(said) > 1  # with one seed for all, all would say the same
        assert prediction.probs == pytest.approx([said[choice] / 20 for choice in range(5)])
        assert prediction.probs_source == "votes"
        assert said[prediction.choice] == max(said.values())
        assert all(one.messages is None and one.order == (0, 1, 2, 3, 4) for one in prediction.asks)
    (tmp_path / "again").mkdir()
    _, again = run(tmp_path / "again", "sampled", "--votes", "20", "--temperature", "0.7", "--limit", "3")
    assert predictions(again) == predictions(out)
    (tmp_path / "other").mkdir()
    other_seed = ("--votes", "20", "--temperature", "0.7", "--limit", "3", "--seed", "1")
    _, other = run(tmp_path / "other", "sampled", *other_seed)
    assert predictions(other) != predictions(out)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--votes", "5"], "votes 5 at temperature 0 are 5 times the same reply; give a temperature above 0"),
        (["--votes", "1", "--temperature", "1"], "greater than or equal to 2"),
        (["--votes", "5", "--temperature", "1", "--permute", "cyclic"], "choose one"),
        (["--votes", "5", "--temperature", "1", "--answering", "score"], "use answering generate"),
    ],
)
def test_what_cannot_be_asked_several_times_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    code, out = run(tmp_path, "first", *more)
    assert code == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not out.exists()


def test_a_classifier_has_no_order() -> None:
    with pytest.raises(ValueError, match="a checkpoint is shown no order of the choices"):
        SystemSpec(name="c", checkpoint="folder", permute="cyclic")


def test_a_failing_rotation_fails_its_item_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_FAIL", "1번: 1-2 선택지 4")  # one rotation of one item
    code, out = run(tmp_path, "failing", "--permute", "cyclic", "--retries", "0")
    assert code == 1
    failed = [record.item.id for record in records_of(out) if record.error]
    assert failed == ["kice/2030-11/q08"]
    monkeypatch.delenv("TEST_FAIL")
    data, model = str(tmp_path / "2030_11_KICE.json"), f"{MODELS}:failing"
    asked = ["run", "kice", "--data", data, "--chain", "kice-prompt", "--model", model, "--permute", "cyclic"]
    assert main([*asked, "--resume", str(out)]) == 0
    assert not any(record.error for record in records_of(out))


def entry(number: int, n_choices: int = 3) -> dict[str, Any]:
    return {"id": f"i{number}", "choices": [f"{number}-{choice}" for choice in range(n_choices)]}


def test_a_batch_asks_everything_together_and_keeps_faults_apart() -> None:
    sizes: list[int] = []

    class Batched(RunnableLambda[Any, Any]):
        def batch(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            sizes.append(len(inputs))
            return super().batch(inputs, *args, **kwargs)

    def answer(asked: dict[str, Any]) -> Prediction:
        if asked["choices"][0] == "1-2":
            raise RuntimeError("this order fails")
        return Prediction(choice=0, status="ok", probs=(0.5, 0.3, 0.2), probs_source="likelihood")

    predictor = Repeated(predictors=(Batched(answer),), permute="cyclic")
    answers = predictor.batch([entry(0), entry(1), entry(2)], return_exceptions=True)
    assert sizes == [9]
    assert isinstance(answers[1], RuntimeError)
    for given in (answers[0], answers[2]):
        assert given.probs == pytest.approx((1 / 3, 1 / 3, 1 / 3))
        assert given.probs_source == "likelihood"
        assert given.rule == "tie-drawn"
    with pytest.raises(RuntimeError, match="this order fails"):
        predictor.batch([entry(0), entry(1)])


def test_answers_that_fit_no_item_are_its_fault() -> None:
    predictor = Repeated(predictors=(RunnableLambda(lambda _: Prediction(choice=7, status="ok")),), permute="cyclic")
    (fault,) = predictor.batch([entry(0)], return_exceptions=True)
    assert isinstance(fault, ValueError)
    with pytest.raises(ValueError, match="choice 7 is none of the item's 3"):
        predictor.invoke(entry(0))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1])
def test_what_is_no_probability_is_its_item_s_fault(wrong: float, tmp_path: Path, monkeypatch: Any) -> None:
    answer = Prediction(choice=0, status="ok", probs=(0.5, wrong, 0.5), probs_source="likelihood")
    assert "is no probability" in str(fault_of(answer, 3))
    monkeypatch.setenv("TEST_PROBABILITY", str(wrong))
    code, out = run(tmp_path, "first", "--limit", "2", chain="tests.chains.test_repeated:unsound_chain")
    assert code == 1
    assert [record.prediction for record in records_of(out)] == [None, None]
    assert "is no probability" in (records_of(out)[0].error or "")


def unsound_chain(model: Any) -> Any:
    probs = (0.5, float(os.environ["TEST_PROBABILITY"]), 0.5, 0.0, 0.0)
    return RunnableLambda(lambda entry: Prediction(choice=0, status="ok", probs=probs, probs_source="likelihood"))


def test_a_passage_is_retrieved_once_for_an_item_and_not_by_its_order() -> None:
    class Remembering(BaseRetriever):
        queries: list[str] = Field(default_factory=list)

        def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
            self.queries.append(query)
            return [Document("found", id="d0")]

    retriever, model = Remembering(), ScriptedChatModel(reply=lambda messages: "2번")
    item = {**entry(0, 5), "question": "물음?", "passage": "지문"}
    make = lambda parts: kice_rag(**parts)  # noqa: E731
    predictor = repeated(make, {"model": model, "retriever": retriever}, permute="cyclic")
    for answers in ([predictor.invoke(item)], predictor.batch([item, item])):
        assert all(answer.document_ids == ("d0",) for answer in answers)
        assert all(len(answer.asks) == 5 for answer in answers)
    assert retriever.queries == ["\n".join(["물음?", *item["choices"]])] * 3
    assert len(model.calls) == 15


def test_the_labels_of_pairs_are_listed_in_the_order_shown() -> None:
    model = ScriptedChatModel(reply=lambda messages: messages[-1].text.rsplit(": ", 1)[1].split(",")[0])
    predictor = repeated(lambda parts: mnli_zero_shot(**parts), {"model": model}, permute="cyclic")
    choices = ["entailment", "neutral", "contradiction"]
    answer = predictor.invoke({"id": "p", "choices": choices, "premise": "A.", "hypothesis": "B."})
    assert [one.choice for one in answer.asks] == [0, 1, 2]
    assert [one.raw for one in answer.asks] == choices


def test_each_asking_is_a_run_of_its_own_in_the_trace() -> None:
    names: list[str | None] = []

    class Names(BaseCallbackHandler):
        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            names.append(kwargs.get("name"))

    predictor = Repeated(predictors=(RunnableLambda(lambda _: Prediction(choice=0, status="ok")),), permute="cyclic")
    predictor.invoke(entry(0), {"callbacks": [Names()]})
    assert names == ["Repeated", "trial 1 of 3", "trial 2 of 3", "trial 3 of 3"]


@pytest.mark.parametrize(
    ("asks", "choice", "rule", "probs"),
    [
        ([ask(2), ask(0), ask(2)], 2, "majority", (1 / 3, 0, 2 / 3)),
        ([ask(1), ask(None), ask(None)], 1, "majority", (0, 1, 0)),
        ([ask(0, probs=(0.4, 0.3, 0.3)), ask(1, probs=(0.0, 0.9, 0.1))], 1, "tie-by-probability", (0.2, 0.6, 0.2)),
        ([ask(0, probs=(0.5, 0.5, 0.0)), ask(1), ask(1)], 1, "majority", (1 / 3, 2 / 3, 0)),
    ],
)
def test_the_majority(asks: list[Trial], choice: int, rule: str, probs: tuple[float, ...]) -> None:
    fields = majority(asks, source="likelihood", key="k")
    assert (fields["choice"], fields["rule"]) == (choice, rule)
    assert fields["probs"] == pytest.approx(probs)


def test_a_tie_is_drawn_without_favour() -> None:
    drawn = Counter(majority([ask(0), ask(2)], source=None, key=str(n))["choice"] for n in range(2000))
    assert set(drawn) == {0, 2}
    assert abs(drawn[0] - 1000) < 135  # three standard deviations


def test_no_answer_in_any_asking_is_none() -> None:
    refused = Trial(order=(0, 1), choice=None, status="refusal")
    fields = majority([refused, refused, refused.model_copy(update={"status": "none"})], source=None, key="k")
    assert fields == {"choice": None, "status": "refusal", "rule": "", "probs": None, "probs_source": None}


def test_usage_that_one_asking_does_not_count_is_unknown_of_all() -> None:
    usages = iter([{"input_tokens": 10, "output_tokens": 1, "cut_tokens": 4}, {"input_tokens": 12, "cut_tokens": 6}])
    predictor = Repeated(
        predictors=(RunnableLambda(lambda _: Prediction(choice=0, status="ok", usage=next(usages))),), permute="cyclic"
    )
    assert predictor.invoke(entry(0, 2)).usage == {"input_tokens": 22, "cut_tokens": 6}


def test_replies_read_again_come_to_the_same_majority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEST_KNOWN", "선택지 2")
    _, out = run(tmp_path, "knowing", "--permute", "cyclic")
    before = records_of(out)
    capsys.readouterr()
    assert main(["rescore", str(out)]) == 0
    assert "0 predictions changed" in capsys.readouterr().out
    assert records_of(out) == before


def test_a_refusal_stays_one_where_it_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "tests.chains.test_repeated:refusing"
    for more in ([], ["--permute", "cyclic"]):
        folder = tmp_path / str(len(more))
        folder.mkdir()
        spec = ["--chain", "kice-prompt", "--model", model, "--limit", "2", *more, "--out", str(folder / "out")]
        assert main(["run", "kice", "--data", str(write_exam(folder)), *spec]) == 0
        before = records_of(folder / "out")
        assert {record.prediction.status for record in before if record.prediction} == {"refusal"}
        assert main(["rescore", str(folder / "out")]) == 0
        assert records_of(folder / "out") == before


def refusing() -> ScriptedChatModel:
    said = AIMessage("그 물음에는", response_metadata={"finish_reason": "content_filter"})
    return ScriptedChatModel(reply=lambda messages: said)


def test_a_dry_run_counts_every_asking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estimates = {}
    for name, more in {"once": [], "rotated": ["--permute", "cyclic"], "voted": ["--votes", "3"]}.items():
        heat = ["--temperature", "1"] if name == "voted" else []
        data = write_exam(tmp_path)
        spec = ["--chain", "kice-prompt", "--model", "openai:gpt-4o-mini", "--dry-run", "--json", *more, *heat]
        assert main(["run", "kice", "--data", str(data), *spec]) == 0
        (estimates[name],) = json.loads(capsys.readouterr().out)["estimates"]
    for count in ("input_tokens", "output_tokens", "usd"):
        assert estimates["rotated"][count] == pytest.approx(5 * estimates["once"][count])
        assert estimates["voted"][count] == pytest.approx(3 * estimates["once"][count])
    assert estimates["rotated"]["items"] == 10


def test_a_chain_of_your_own_gets_the_rotated_choices(tmp_path: Path) -> None:
    code, out = run(
        tmp_path, "first", "--permute", "cyclic", "--limit", "1", chain="tests.chains.test_repeated:own_chain"
    )
    assert code == 0
    (prediction,) = predictions(out)
    assert prediction.asks[1].raw == "0-0 선택지 2"
    assert prediction.asks[1].choice == 1


def own_chain(model: Any) -> Any:
    return RunnableLambda(lambda asked: Prediction(choice=0, status="ok", raw=asked["choices"][0]))


def test_reply_metadata_is_kept_for_each_asking() -> None:
    cut = AIMessage("정답은", response_metadata={"finish_reason": "length"})
    model = ScriptedChatModel(reply=lambda messages: cut)
    predictor = repeated(lambda parts: mnli_zero_shot(**parts), {"model": model}, permute="cyclic")
    answer = predictor.invoke({"id": "p", "choices": ["a1", "b2"], "premise": "A.", "hypothesis": "B."})
    assert (answer.choice, answer.status) == (None, "truncated")
    assert [one.finish_reason for one in answer.asks] == ["length", "length"]


@pytest.fixture(scope="module")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.support.tiny_models import tiny_chat_models

    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


PAIRS = [
    {"id": f"p{n}", "choices": ["yes", "maybe", "no"], "premise": f"A man {n}.", "hypothesis": "Read."}
    for n in range(3)
]


def test_labels_are_scored_for_every_rotation_in_one_batch(local_model: Any) -> None:
    model = local_model()
    answers = repeated(lambda parts: mnli_zero_shot(**parts), {"model": model}, permute="cyclic").batch(PAIRS)
    once = mnli_zero_shot(model)
    for pair, answer in zip(PAIRS, answers, strict=True):
        rows = []
        for order in orders(3, "cyclic"):
            alone = once.invoke({**pair, "choices": [pair["choices"][own] for own in order]})
            rows.append([(alone.probs or ())[order.index(own)] for own in range(3)])
        assert answer.probs_source == "likelihood"
        assert answer.probs == pytest.approx([sum(column) / 3 for column in zip(*rows, strict=True)], abs=1e-4)
        assert [list(one.probs or ()) for one in answer.asks] == [pytest.approx(row, abs=1e-4) for row in rows]


def test_a_local_model_samples_each_vote_anew_and_the_same_again(local_model: Any) -> None:
    parts = {"model": local_model(temperature=1.0, max_tokens=8)}

    def make(parts: dict[str, Any]) -> Any:
        return mnli_zero_shot(**parts, answering="generate")

    voted = [repeated(make, parts, votes=4, seed=seed).batch(PAIRS) for seed in (0, 0, 1)]
    said = [[one.raw for one in answer.asks] for answer in voted[0]]
    assert all(len(set(replies)) > 1 for replies in said)
    assert voted[0] == voted[1]
    assert voted[0] != voted[2]


def test_a_seed_is_given_where_the_model_takes_one() -> None:
    served = load_chat_model("endpoint:qwen3@http://localhost:9/v1", seed=0)
    assert with_seed(served, 5).inner.seed == 5  # type: ignore[attr-defined]
    assert served.inner.seed == 0  # type: ignore[attr-defined]
    plain = ScriptedChatModel(reply=lambda messages: "")
    assert with_seed(plain, 5) is plain


def test_a_lost_call_costs_no_other_rotation(tmp_path: Path) -> None:
    scripted_models.LOSING.calls.clear()
    data = write_exam(tmp_path)
    asked = ["run", "kice", "--data", str(data), "--chain", "kice-prompt", "--model", f"{MODELS}:losing"]
    assert main([*asked, "--limit", "1", "--permute", "cyclic", "--out", str(tmp_path / "out")]) == 0
    assert len(scripted_models.LOSING.calls) == 6
    (record,) = records_of(tmp_path / "out")
    assert record.prediction is not None
    assert [one.choice for one in record.prediction.asks] == [0, 1, 2, 3, 4]
    shown = [(one.messages or record.messages or ())[-1].content for one in record.prediction.asks]
    assert [text.index("선택지 1") < text.index("선택지 2") for text in shown] == [True, False, True, True, True]
    assert len(set(shown)) == 5


def test_a_class_without_a_seed_is_sent_another_among_what_it_sends() -> None:
    class Groq(ScriptedChatModel):  # as LangChain's ChatGroq: what it has no field for is sent as it is
        model_kwargs: dict[str, Any] = Field(default_factory=dict)

    given = Groq(reply=lambda messages: "1", model_kwargs={"seed": 0, "top_p": 1})
    assert with_seed(given, 5).model_kwargs == {"seed": 5, "top_p": 1}  # type: ignore[attr-defined]
    assert given.model_kwargs == {"seed": 0, "top_p": 1}
    without = Groq(reply=lambda messages: "1")
    assert with_seed(without, 5).model_kwargs == {}  # type: ignore[attr-defined]


def test_what_some_askings_save_is_summed_beside_what_the_others_take() -> None:
    paid = Prediction(choice=0, status="ok", usage={"input_tokens": 50, "output_tokens": 4})
    free = {"input_tokens": 0, "output_tokens": 0, "saved_input_tokens": 50, "saved_output_tokens": 4}
    answers = iter([paid, paid.model_copy(update={"usage": free})])
    repeated = Repeated(predictors=(RunnableLambda(lambda entry: next(answers)),) * 2)
    usage = repeated.invoke({"choices": ["a", "b"]}).usage
    assert usage == {"input_tokens": 50, "output_tokens": 4, "saved_input_tokens": 50, "saved_output_tokens": 4}
