"""Whatever a provider or a chain gives or raises is its item's answer or error: the run goes on, and can be read."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.common.parsing import whole_strings
from data.common.text import text_of
from data.types import Item, Message, Prediction, Record, ToolCall
from eval.cli.parser import main
from eval.rundir.journal import Journal, read_records
from eval.rundir.manifest import read_manifest, redacted, write_manifest
from eval.rundir.run_check import read_run
from tests.support.any_json import NUMBERS, TEXTS, VALUES, nested, with_something_else
from tests.support.chat_endpoint import serve_chat
from tests.support.journaled_runs import failure
from tests.support.runs_by_hand import item, manifest, planned

OWN = """
import asyncio
import sys
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from data.types import Trial, Benchmark, Item, Message, Prediction
from tests.support.scripted import ScriptedChatModel

BENCHMARK = Benchmark(
    name="mine", title="mine", language="en", labels=("yes", "no"), splits=("test",), default_split="test",
    sample_split="test", source="me", licence="MIT", citation="me",
)

def load(split, path):
    return [Item(id=f"mine/{i}", inputs={"text": str(i)}, choices=("yes", "no"), target=i % 2, group=str(i))
            for i in range(6)]

def right(entry):
    return Prediction(choice=0, status="ok")

def chain(odd):
    return RunnableLambda(lambda entry: odd(entry) if entry["text"] == "2" else right(entry))

class Mute(Exception):
    def __str__(self):
        raise RuntimeError("nothing to say")
    __repr__ = __str__

class Odd(Exception):
    @property
    def response(self):
        raise RuntimeError("no response")

class Wordless(Exception):
    def __str__(self):
        return 7

def thrower(fault):
    def throw(entry):
        raise fault
    return lambda: chain(throw)

def giver(answer):
    return lambda: chain(lambda entry: answer)
"""
GIVEN = {
    "raw": 'Prediction(choice=0, status="ok", raw="a\\ud800b")',
    "finish_reason": 'Prediction(choice=0, status="ok", finish_reason="\\ud800")',
    "rule": 'Prediction(choice=0, status="ok", rule="\\udfff")',
    "document": 'Prediction(choice=0, status="ok", document_ids=("\\ud800",))',
    "usage": 'Prediction(choice=0, status="ok", usage={"\\ud800": 3})',
    "asking": 'Prediction(choice=0, status="ok", asks=(Trial(order=(0, 1), choice=0, status="ok", raw="\\ud800"),))',
}
UNUSABLE = {
    "no_type": 'Prediction.model_construct(choice="0", status="ok", rule=3)',
    "no_prediction": "{'choice': 0}",
    "nothing": "None",
    "no_count": 'Prediction(choice=0, status="ok", usage={"input_tokens": -1})',
    "no_probabilities": 'Prediction(choice=0, status="ok", probs=(float("nan"), 0.5))',
}
RAISED = {
    "mute": ("Mute()", "ChainFaultError: the chain raised Mute, which does not say what it is"),
    "odd": ("Odd('x')", "ChainFaultError: the chain raised Odd, which does not say what it is"),
    "wordless": ("Wordless()", "ChainFaultError: the chain raised Wordless, which does not say what it is"),
    "leaving": ("SystemExit(3)", "ChainFaultError: the chain raised SystemExit: 3"),
    "cancelled": ("asyncio.CancelledError()", "ChainFaultError: the chain raised CancelledError: "),
    "half": ("ValueError('\\ud800')", "ValueError: \ufffd"),
    "group": ("ExceptionGroup('two', [ValueError(1)])", "ExceptionGroup: two (1 sub-exception)"),
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def asked(own: Path, name: str, line: str, *more: str) -> dict[str, Record]:
    """Run a chain that is odd at the third of six items, and return all records; the run can be gone on with."""
    (own / f"{name}.py").write_text(f"{OWN}\n{line}\n", encoding="utf-8")
    arguments = ["run", name, "--chain", f"{name}:odd", *more]
    ended = main([*arguments, "--out", "out"])
    read_run(own / "out")
    (journal,) = (own / "out").glob("*/records.jsonl")
    records = {record.item.id: record for record in read_records(journal)}
    assert list(records) == [f"mine/{i}" for i in range(6)]
    assert [record.error for name, record in records.items() if name != "mine/2"] == [None] * 5
    assert ended == main([*arguments, "--resume", "out"]) == (1 if records["mine/2"].error else 0)
    return records


@pytest.mark.parametrize("case", GIVEN)
def test_half_a_character_in_what_a_chain_gives_is_written_as_a_mark(own: Path, case: str) -> None:
    record = asked(own, f"own_gives_{case}", f"odd = giver({GIVEN[case]})")["mine/2"]
    assert record.prediction is not None and record.prediction.choice == 0
    assert "\ufffd" in record.model_dump_json()


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_is_no_prediction_is_its_item_s_error(own: Path, case: str) -> None:
    record = asked(own, f"own_unusable_{case}", f"odd = giver({UNUSABLE[case]})")["mine/2"]
    assert record.prediction is None and record.error


@pytest.mark.parametrize("case", RAISED)
def test_whatever_a_chain_raises_is_its_item_s_error(own: Path, case: str) -> None:
    fault, said = RAISED[case]
    assert asked(own, f"own_raises_{case}", f"odd = thrower({fault})")["mine/2"].error == said


@pytest.mark.parametrize(("batch", "said"), [
    ("raise RuntimeError('the whole batch')", "RuntimeError: the whole batch"),
    ("return [right(entry) for entry in entries[1:]]", "the predictor returned 5 answers to 6 items"),
    ("return None", "TypeError"),
    ("return [SystemExit(2)] * len(entries)", "ChainFaultError: the chain raised SystemExit: 2"),
])  # fmt: skip
def test_a_batch_that_fails_as_a_whole_is_every_item_s_error(tmp_path: Path, batch: str, said: str) -> None:
    from eval.execution.runner import run

    class Batched:
        def batch(self, entries: list[Any], configs: list[Any], *, return_exceptions: bool) -> Any:
            names: dict[str, Any] = {"right": lambda entry: Prediction(choice=0, status="ok"), "entries": entries}
            exec(f"def answers():\n    {batch}", names)
            return names["answers"]()

    plan = planned([item(number) for number in range(6)], lambda entry: Prediction(choice=0, status="ok"), 6)
    (evaluation,) = plan.evaluations
    system = evaluation.systems[0]._replace(open=lambda _: Batched())
    plan = plan._replace(evaluations=[evaluation._replace(systems=[system])])
    assert run(plan, tmp_path / "run").errors == 6
    read_run(tmp_path / "run")
    assert all(said in str(record.error) for record in read_records(tmp_path / "run" / "s" / "records.jsonl"))


COMPLETION = {
    "id": "\ud800",
    "object": "chat.completion",
    "created": 1,
    "model": "m\udfff",
    "choices": [{"index": 0, "finish_reason": "\ud800", "message": {"role": "assistant", "content": "neutral \ud800"}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}


def test_half_a_character_in_a_server_s_reply_ends_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was journaled, and --resume failed too, although every reply was paid for."""
    with serve_chat(lambda body: json.dumps(COMPLETION).encode()) as server:
        who = ["--chain", "mnli-zero-shot", "--model", f"endpoint:m@{server.base_url}"]
        arguments = ["run", "mnli", "--split", "sample", "--limit", "3", *who]
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
        assert main([*arguments, "--resume", str(tmp_path / "out")]) == 0
        assert len(server.requests) == 3
    (journal,) = (tmp_path / "out").glob("*/records.jsonl")
    predictions = [record.prediction for record in read_records(journal)]
    assert [(p.choice, p.raw, p.finish_reason) for p in predictions if p] == [(1, "neutral \ufffd", "\ufffd")] * 3
    assert "Traceback" not in capsys.readouterr().err


ITEM = Item(id="i", inputs={"question": "?"}, choices=("a", "b"), target=0, group="g")


def written(tmp_path: Path, record: Record) -> Record:
    """Append a record, and return what is read of it."""
    path = tmp_path / "s" / "records.jsonl"
    path.unlink(missing_ok=True)
    with Journal(path) as journal:
        returned = journal.append(record)
        journal.append(failure(ITEM, "s"))
    first, _ = read_records(path)
    assert first == returned
    return first


def part_of_itself() -> dict[str, Any]:
    value: dict[str, Any] = {"name": "loop"}
    value |= {"again": value, "both": [value, value]}
    return value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("\ud800", "\ufffd"),
        ({"\udfff": 1}, {"\ufffd": 1}),
        ({1: {2: 3}}, {"1": {"2": 3}}),
        ((1, [2.5, True, None]), [1, [2.5, True, None]]),
        (math.nan, None),
        (b"\xff", "b'\\xff'"),
        (10**400, f"1{'0' * 400}"),
        (10**5000, "<int>"),
        (Path("a/b"), "a/b"),
    ],
    ids=["half", "name", "number", "pair", "nan", "bytes", "large", "endless", "path"],
)
def test_the_arguments_of_a_call_are_kept_as_json_can_hold_them(tmp_path: Path, value: Any, kept: Any) -> None:
    call = ToolCall(name="search", arguments={"of": value})
    messages = (Message(role="assistant", content="\ud800", tool_calls=(call,)),)
    record = Record(item=ITEM, system="s", error="TimeoutError", latency_s=0.1, messages=messages)
    (message,) = written(tmp_path, record).messages or ()
    assert message.tool_calls[0].arguments == {"of": kept}


@pytest.mark.parametrize("value", [nested(250), nested(5_000), part_of_itself()], ids=len)
def test_what_is_nested_without_end_is_said_to_be_so(tmp_path: Path, value: Any) -> None:
    messages = (Message(role="assistant", content="", tool_calls=(ToolCall(name="f", arguments={"of": value}),)),)
    record = Record(item=ITEM, system="s", error="TimeoutError", latency_s=0.1, messages=messages)
    assert "(nested too deeply)" in json.dumps(written(tmp_path, record).model_dump())


def test_what_is_no_answer_is_written_as_an_error(tmp_path: Path) -> None:
    answer = Prediction.model_construct(choice=7, status="ok", usage={"input_tokens": -1})
    record = Record.model_construct(item=ITEM, system="s", prediction=answer, error=None, latency_s=0.1)
    kept = written(tmp_path, record)
    assert kept.prediction is None and kept.error == "UnreadableAnswer: i: choice 7 is none of the item's 2"


@pytest.mark.parametrize("word", ["prediction", "messages", "latency_s", "evaluations", "systems"])
def test_a_secret_that_is_an_ordinary_word_takes_no_field_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("MY_PASSWORD", word)
    record = Record(item=ITEM, system="s", error=f"RuntimeError: {word} is refused", latency_s=0.1)
    assert written(tmp_path, record).error == ("RuntimeError: [redacted] is refused" if len(word) > 7 else record.error)
    ours = manifest(suite={"note": word})
    write_manifest(tmp_path, ours)
    assert read_manifest(tmp_path) == redacted(ours)


def test_a_folder_whose_name_is_no_text_can_be_named(tmp_path: Path) -> None:
    """A file's name is bytes: what is not UTF-8 has halves of characters in Python."""
    ours = manifest(suite={"evaluations": [{"data": "caf\udce9.jsonl"}]})
    write_manifest(tmp_path, ours)
    assert read_manifest(tmp_path) == redacted(ours)
    assert read_manifest(tmp_path).differences(redacted(ours)) == []


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_the_text_of_what_has_none_is_its_kind() -> None:
    assert text_of(Unspeakable()) == "<Unspeakable>"
    assert whole_strings({"a": Unspeakable()}) == {"a": "<Unspeakable>"}


ANSWERS = st.builds(
    Prediction.model_construct,
    choice=st.one_of(st.none(), st.integers(-1, 3), VALUES),
    status=st.sampled_from(["ok", "none", "multiple"]) | TEXTS,
    rule=TEXTS,
    raw=TEXTS,
    finish_reason=TEXTS,
    probs=st.one_of(st.none(), st.lists(st.floats(), max_size=3).map(tuple), VALUES),
    probs_source=st.none(),
    asks=st.just(()),
    document_ids=st.lists(TEXTS, max_size=2).map(tuple),
    usage=st.dictionaries(TEXTS, st.integers(), max_size=2),
)
MESSAGES = st.builds(
    Message.model_construct,
    role=TEXTS,
    content=TEXTS,
    tool_calls=st.lists(
        st.builds(ToolCall.model_construct, name=TEXTS, arguments=st.dictionaries(TEXTS, VALUES, max_size=2)),
        max_size=1,
    ).map(tuple),
)


@given(
    st.one_of(
        st.fixed_dictionaries({"prediction": ANSWERS, "error": st.none()}),
        st.fixed_dictionaries({"prediction": st.none(), "error": TEXTS}),
    ),
    st.none() | st.lists(MESSAGES, max_size=2).map(tuple),
    NUMBERS,
)
def test_any_record_is_written_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, outcome: dict[str, Any], messages: Any, seconds: Any
) -> None:
    kept = written(
        tmp_path_factory.mktemp("any"),
        Record.model_construct(item=ITEM, system="s", latency_s=seconds, messages=messages, **outcome),
    )
    assert kept.item == ITEM
    assert kept.error is not None or kept.prediction


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(with_something_else(COMPLETION), min_size=6, max_size=6))
def test_any_reply_of_a_server_is_its_item_s_answer_or_error(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], replies: list[Any]
) -> None:
    bodies = iter([json.dumps(reply).encode() for reply in replies])
    out = tmp_path_factory.mktemp("any") / "out"
    with serve_chat(lambda body: next(bodies)) as server:
        who = ["--chain", "mnli-zero-shot", "--model", f"endpoint:m@{server.base_url}", "--max-concurrency", "1"]
        arguments = ["run", "mnli", "--split", "sample", "--limit", "6", *who, "--retries", "0"]
        code = main([*arguments, "--out", str(out)])
    said = capsys.readouterr().err
    assert "Traceback" not in said
    read_run(out)
    answered = [record for journal in out.glob("*/records.jsonl") for record in read_records(journal)]
    if code == 2:  # nothing that came is an answer, which is no fault of an item's
        assert "answers, but with nothing that can be read" in said
        assert not any(record.prediction for record in answered)
    else:
        assert code in (0, 1)
        assert len(answered) == 6
