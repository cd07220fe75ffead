"""--max-cost is never crossed, whatever calls cost, however many are in flight and however they fail."""

import json
import math
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableLambda

from data.common.errors import ConfigurationError
from data.types import Item, Prediction
from eval.cli.parser import main
from eval.execution.attempt_calls import AttemptCalls
from eval.execution.budget import Budget, MaxCostError, OverBudgetError, spent_before
from eval.execution.call_ledger import FREE, CallLedger, Key, ledger_path, read_ledger
from eval.execution.rate_limits import Halt
from eval.execution.retry import Calls, Clock, ItemStop
from eval.execution.runner import run
from eval.measures.prices import Price, PriceTable, price
from eval.plan.call_prices import Rate, most_tokens
from eval.plan.planning import Plan
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.system import System
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.described import described
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import Faults, serve_faults
from tests.support.runs_by_hand import planned
from tests.support.scripted import ScriptedChatModel

SPEC = "endpoint:priced@http://127.0.0.1:1/v1"


@pytest.fixture
def prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a price table in force."""

    def use(spec: str, *, input: float, output: float) -> None:
        path = tmp_path / f"prices-{len(list(tmp_path.glob('prices-*')))}.yaml"
        models = {spec: {"input": input, "output": output}}
        path.write_text(json.dumps({"as_of": "2026-01-01", "source": "here", "models": models}), encoding="utf-8")
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(path))

    return use


class Biller:
    """A model's server: answers, fails before or after it has answered, and knows what it is owed."""

    def __init__(self, seed: int, *, reply_tokens: int, failing: float) -> None:
        self.seed, self.reply_tokens, self.failing = seed, reply_tokens, failing
        self.usages: list[dict[str, int]] = []
        self.late: list[tuple[str, dict[str, int]]] = []
        self.attempts: dict[str, int] = {}
        self._lock = threading.Lock()

    def reply(self, messages: list[BaseMessage]) -> AIMessage:
        text = messages[-1].text
        with self._lock:
            attempt = self.attempts[text] = self.attempts.get(text, 0) + 1
        drawn = random.Random(f"{self.seed}/{text}/{attempt}")
        time.sleep(drawn.random() * 0.001)
        fails = drawn.random() < self.failing
        if fails and drawn.random() < 0.5:
            error = RuntimeError("too many requests")
            error.status_code = 429  # type: ignore[attr-defined]
            raise error
        output = drawn.choice([self.reply_tokens, drawn.randint(0, self.reply_tokens)])
        usage = {"input_tokens": drawn.randint(1, most_tokens([text])), "output_tokens": output}
        with self._lock:
            self.usages.append(usage)
            if fails:
                self.late.append((text, usage))
        if fails:
            raise TimeoutError("answered too late, and billed")
        return AIMessage("1", usage_metadata=usage | {"total_tokens": sum(usage.values())})  # type: ignore[typeddict-item]

    def owed_usd(self) -> float:
        return math.fsum(price(usage, SPEC) or 0.0 for usage in self.usages)


def read_counted(reply: AIMessage) -> Prediction:
    usage = reply.usage_metadata or {}
    counts = {name: usage[name] for name in ("input_tokens", "output_tokens")}  # type: ignore[literal-required]
    return Prediction(choice=0, status="ok", usage=counts)


def priced_plan(items: list[Item], biller: Biller, read: Callable[[AIMessage], Prediction] = read_counted) -> Plan:
    model = ScriptedChatModel(reply=biller.reply)
    plan = planned(items, lambda entry: None, None)  # type: ignore[arg-type, return-value]
    chain = RunnableLambda(lambda entry: entry["passage"]) | model | RunnableLambda(read)
    system = System("s", described({"model": {"spec": SPEC}}), None, lambda _: chain, reply_tokens=biller.reply_tokens)
    (entry,) = plan.evaluations
    return plan._replace(evaluations=[entry._replace(systems=[system])])


def items_of(drawn: random.Random, n: int) -> list[Item]:
    longest = drawn.choice([10, 300, 3000])
    return [
        Item(
            id=f"i{number}",
            inputs={"passage": f"{number} " + drawn.choice("x가") * drawn.randint(0, longest)},
            choices=("a", "b"),
            target=0,
            group="g",
        )
        for number in range(n)
    ]


@pytest.mark.parametrize("block", range(10))
def test_the_limit_is_never_crossed_and_hardly_anything_is_left(
    tmp_path: Path, prices: Any, block: int, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = 0
    for seed in range(20 * block, 20 * block + 20):
        drawn = random.Random(seed)
        prices(SPEC, input=10 ** drawn.uniform(-2, 2), output=10 ** drawn.uniform(-2, 3))
        items = items_of(drawn, drawn.randint(5, 60))
        biller = Biller(seed, reply_tokens=drawn.randint(1, 500), failing=drawn.choice([0, 0.2]))
        rate = Rate(SPEC, biller.reply_tokens)
        highest = [rate.highest_usd([item.inputs["passage"]]) for item in items]
        limit = math.fsum(highest) * drawn.choice([0.01, 0.1, 0.3, 0.7, 2])
        policy = CallPolicy(max_cost_usd=limit, first_wait_s=0.0005, retries=8)
        out = tmp_path / f"run{seed}"
        error = run_until_spent(priced_plan(items, biller), out, policy, max_concurrency=drawn.choice([1, 4, 16]))
        assert biller.owed_usd() <= limit
        if error is None:
            assert len(list(read_records(records_path(out, "s")))) == len(items)
            continue
        stopped += 1
        assert "\n" not in str(error) and f"--resume {out}" in str(error)
        # What was billed without an answer is unknown: all that was set aside for it counts as spent.
        unknown = math.fsum(rate.highest_usd([text]) - (price(usage, SPEC) or 0.0) for text, usage in biller.late)
        assert limit - biller.owed_usd() <= max(highest) + unknown, "more is left than one call's worth"
    assert 5 < stopped < 20


def run_until_spent(plan: Plan, out: Path, policy: CallPolicy, *, max_concurrency: int) -> MaxCostError | None:
    try:
        run(plan, out, max_concurrency=max_concurrency, policy=policy)
    except MaxCostError as error:
        return error
    return None


def test_a_run_goes_on_from_what_its_journal_says_was_spent(tmp_path: Path, prices: Any) -> None:
    prices(SPEC, input=1, output=10)
    items = items_of(random.Random(3), 40)
    biller = Biller(3, reply_tokens=100, failing=0)
    total = math.fsum(Rate(SPEC, 100).highest_usd([item.inputs["passage"]]) for item in items)
    limits = [total * share for share in (0.1, 0.2, 0.4, 1.0)]
    for limit in limits:
        plan, policy = priced_plan(items, biller), CallPolicy(max_cost_usd=limit)
        resumed = limit != limits[0]
        try:
            run(plan, tmp_path / "run", resume=resumed, max_concurrency=4, policy=policy)
        except MaxCostError:
            assert limit != limits[-1]
        assert biller.owed_usd() <= limit
        spent = spent_before(tmp_path / "run", plan.evaluations[0].systems)
        assert spent == pytest.approx(biller.owed_usd())
    assert set(biller.attempts.values()) == {1}, "nothing is paid for twice"


def test_what_was_set_aside_by_a_run_that_was_killed_counts_as_spent(tmp_path: Path, prices: Any) -> None:
    prices(SPEC, input=1e6, output=1e6)  # a dollar a token
    path = ledger_path(tmp_path, "s")
    (system,) = priced_plan(items_of(random.Random(1), 1), Biller(1, reply_tokens=10, failing=0)).evaluations[0].systems
    with CallLedger(path, [], pytest.fail) as ledgers:
        ledger = ledgers.of("i")
        for call, most in (("answered", 300), ("failed, but billed", 200), ("in flight", 50), ("not billed", 400)):
            ledger.write(Key("", 0), call, most={"input_tokens": most - 1, "output_tokens": 1})
        ledger.write(Key("", 0), "answered", usage={"input_tokens": 90, "output_tokens": 10})
        ledger.write(Key("", 0), "not billed", usage=FREE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])  # torn: it was never sent
    assert spent_before(tmp_path, [system]) == pytest.approx(350)
    path.write_bytes(b"-3\n" + whole)
    with pytest.raises(ConfigurationError, match="line 1 is none of a call ledger"):
        spent_before(tmp_path, [system])


def test_without_its_ledger_it_is_not_known_what_a_run_has_spent(tmp_path: Path, prices: Any) -> None:
    prices(SPEC, input=1, output=1)
    items = items_of(random.Random(1), 5)
    plan = priced_plan(items, Biller(1, reply_tokens=10, failing=0))
    run(plan, tmp_path / "run")
    ledger_path(tmp_path / "run", "s").unlink()
    with pytest.raises(ConfigurationError, match=r"--max-cost cannot be kept: .*calls\.jsonl is gone.*; restore it"):
        run(plan, tmp_path / "run", resume=True, policy=CallPolicy(max_cost_usd=1))
    run(plan, tmp_path / "run", resume=True)


def test_a_call_that_does_not_fit_waits_for_what_calls_in_flight_give_back() -> None:
    budget, stop = Budget(1.0), threading.Event()
    first = budget.reserve(0.9, stop)
    threading.Timer(0.05, lambda: budget.settle(first, 0.1)).start()
    second = budget.reserve(0.8, stop)
    assert budget.spent_usd == pytest.approx(0.1)
    budget.settle(second, None)
    with pytest.raises(OverBudgetError):
        budget.reserve(0.2, stop)
    third = budget.reserve(0.1, stop)
    with pytest.raises(OverBudgetError):  # the only reservation is the same item's: nobody else will give it back
        budget.reserve(0.1, stop, held=1)
    stop.set()
    with pytest.raises(Halt):
        budget.reserve(0.1, stop)
    budget.settle(third, 0.0)


def test_the_highest_cost_counts_all_that_is_sent(prices: Any) -> None:
    prices(SPEC, input=1e6, output=1e6)  # a dollar a token
    rate = Rate(SPEC, 10)
    plain = rate.highest_usd(["아침"])
    assert plain >= 6 + 10
    assert rate.highest_usd(["아침"], {"max_tokens": 3}) == plain - 7, "a chain may set a limit of its own"
    assert rate.highest_usd(["아침"], {"n": 3}) == plain + 20
    assert rate.highest_usd(["아침"], {"tools": [{"name": "x" * 100}]}) > plain + 100


def test_what_was_asked_of_tools_is_sent_again_and_counted(prices: Any) -> None:
    prices(SPEC, input=1e6, output=1e6)
    budget = Budget(1e6)
    calls = Calls(CallPolicy(max_cost_usd=1e6), budget=budget)
    reserved = []
    for query in ("", "x" * 1000):
        attempt = AttemptCalls(calls, Clock(), ItemStop(calls.stop), rate=Rate(SPEC, 10), reply_tokens=10)
        asked = AIMessage("", tool_calls=[{"name": "search", "args": {"query": query}, "id": "c"}])
        attempt.on_chat_model_start({}, [[HumanMessage("?"), asked]], run_id=uuid4())
        before = budget.spent_usd
        attempt.close()
        reserved.append(budget.spent_usd - before)
    assert reserved[1] - reserved[0] == pytest.approx(1000)


@pytest.mark.parametrize(
    "counted", [None, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 0, "output_tokens": 4}]
)
def test_a_reply_that_counts_no_prompt_costs_what_was_set_aside(prices: Any, counted: Any) -> None:
    prices(SPEC, input=1e6, output=1e6)
    budget = Budget(1e6)
    calls = Calls(CallPolicy(max_cost_usd=1e6), budget=budget)
    attempt = AttemptCalls(calls, Clock(), ItemStop(calls.stop), rate=Rate(SPEC, 10), reply_tokens=10)
    run_id = uuid4()
    attempt.on_chat_model_start({}, [[HumanMessage("?")]], run_id=run_id)
    usage = None if counted is None else counted | {"total_tokens": sum(counted.values())}
    attempt.on_llm_end(
        LLMResult(generations=[[ChatGeneration(message=AIMessage("1", usage_metadata=usage))]]), run_id=run_id
    )
    assert budget.spent_usd == pytest.approx(Rate(SPEC, 10).highest_usd(["?"]))


@pytest.mark.parametrize(
    ("counted", "highest"), [(None, 3), ({"input_tokens": 0, "output_tokens": 0}, 3), ({"input_tokens": 2}, 3)]
)
def test_a_ledger_that_counts_nothing_counts_as_the_most(
    tmp_path: Path, prices: Any, counted: Any, highest: int
) -> None:
    """For every call, also of a run without a limit, and of one that failed and was made again."""
    prices(SPEC, input=1e6, output=1e6)
    said = AIMessage("1").model_copy(update={"usage_metadata": counted})
    replies = iter([said, TimeoutError("late"), said])

    def reply(messages: list[BaseMessage]) -> AIMessage:
        if isinstance(one := next(replies), Exception):
            raise one
        return one

    biller = Biller(1, reply_tokens=10, failing=0)
    biller.reply = reply  # type: ignore[method-assign]
    items = [item.model_copy(update={"inputs": {"passage": "?"}}) for item in items_of(random.Random(1), 2)]
    plan = priced_plan(items, biller, read=lambda _: Prediction(choice=0, status="ok"))
    run(plan, tmp_path / "run", max_concurrency=1, policy=CallPolicy(first_wait_s=0.001))
    spent = spent_before(tmp_path / "run", plan.evaluations[0].systems)
    assert spent == pytest.approx(highest * Rate(SPEC, 10).highest_usd(["?"]))


def test_more_cached_than_sent_is_no_income() -> None:
    table = PriceTable(as_of="2026", source="here", models={SPEC: Price(input=1, output=1, cached_input=0.1)})

    def cost(cached: int) -> float:
        usage = {"input_tokens": 10, "output_tokens": 0, "cached_tokens": cached}
        return price(usage, SPEC, table=table) or 0.0

    assert cost(10_000) == cost(10) == pytest.approx(1e-6)
    assert cost(-5) == cost(0) == pytest.approx(10e-6)


def test_a_ledger_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "calls.jsonl").mkdir()
    with pytest.raises(ConfigurationError, match=r"calls.jsonl cannot be read: Is a directory; "):
        list(read_ledger(tmp_path / "calls.jsonl"))
    with pytest.raises(ConfigurationError, match=r"calls.jsonl cannot be read: Is a directory; "):
        CallLedger(tmp_path / "calls.jsonl", [], pytest.fail)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"calls.jsonl cannot be written: (File exists|Not a directory)"):
        CallLedger(tmp_path / "file" / "calls.jsonl", [], pytest.fail).__enter__()


def exam_arguments(tmp_path: Path, base_url: str, *more: str) -> list[str]:
    if not (tmp_path / "2030_11_KICE.json").exists():
        write_exam(tmp_path, exam(6, 5))
    data = str(tmp_path / "2030_11_KICE.json")
    return ["run", "kice", "--data", data, "--chain", "kice-prompt", "--model", f"endpoint:m@{base_url}", *more]


def test_through_the_command_line(tmp_path: Path, prices: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    with serve_faults(Faults(too_many=0.1)) as server:
        spec = f"endpoint:m@{server.base_url}"
        prices(spec, input=10, output=50)
        arguments = exam_arguments(tmp_path, server.base_url, "--max-concurrency", "4")
        one = price({"input_tokens": 50, "output_tokens": 4}, spec) or 0
        assert main([*arguments, "--max-cost", "0.02", "--out", str(out)]) == 1
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        paid = sum(server.paid.values())
        assert 0 < paid < 30 and paid * one <= 0.02
        for part in ("stopped before --max-cost", f"${paid * one:.6g} of $0.02", f"{30 - paid} answers are missing"):
            assert part in line
        assert f"raise --max-cost and go on with --resume {out}" in line
        assert main([*arguments, "--max-cost", "0.02", "--resume", str(out)]) == 1
        assert sum(server.paid.values()) == paid, "what was spent before counts"
        assert main([*arguments, "--max-cost", "1", "--resume", str(out)]) == 0
        (name,) = read_manifest(out).systems
        assert spent_on(out, name, spec) == pytest.approx(30 * one)
    assert set(server.paid.values()) == {1} and len(server.paid) == 30
    assert all(record.prediction for record in read_records(records_path(out, name)))


def spent_on(run_dir: Path, name: str, spec: str) -> float:
    """Return what the ledger of one system says that it has cost; every call of it has ended."""
    usages = [entry.usage for entry in read_ledger(ledger_path(run_dir, name)) if entry.usage is not None]
    return math.fsum(price(usage, spec) or 0.0 for usage in usages)


def test_an_unknown_price_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_faults() as server:
        out = tmp_path / "out"
        assert main(exam_arguments(tmp_path, server.base_url, "--max-cost", "1", "--out", str(out))) == 2
        assert not server.arrivals and not out.exists()
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"the price of 'endpoint:m@{server.base_url}' is unknown" in line and "TUNE_OR_PROMPT_PRICES" in line


def test_replies_without_a_limit_are_refused(tmp_path: Path, prices: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that thinks first is given no limit, so that a call might cost anything."""
    with serve_faults() as server:
        spec = f"endpoint:qwen3@{server.base_url}"
        prices(spec, input=1, output=1)
        arguments = exam_arguments(tmp_path, server.base_url, "--max-cost", "1", "--out", str(tmp_path / "out"))
        assert main([spec if part.startswith("endpoint:") else part for part in arguments]) == 2
        assert not server.arrivals
    assert "nothing limits the replies" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--max-cost", "0"), ("--max-cost", "nan"), ("--rpm", "0"), ("--item-timeout", "-1"), ("--retries", "-1")],
)
def test_limits_that_let_nothing_run_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert main(exam_arguments(tmp_path, "http://127.0.0.1:9/v1", f"{option}={value}")) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: {option}")


def test_what_costs_nothing_needs_no_price(tmp_path: Path) -> None:
    write_exam(tmp_path)
    data = str(tmp_path / "2030_11_KICE.json")
    assert (
        main(["run", "kice", "--data", data, "--baseline", "chance", "--max-cost", "1", "--out", str(tmp_path / "o")])
        == 0
    )
