"""Cascades in a run: made of their members' answers, the same as if they had been asked, anew when these change."""

import json
from collections import Counter
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.runnables import RunnableLambda

from chains.cascade import cascade
from data.common.errors import ConfigurationError
from data.types import Inputs, Prediction, Record
from eval.api import CallPolicy, Run, Suite, evaluate
from eval.execution.cascade import joined, make_cascade
from eval.execution.rescore import rescore
from eval.measures.cascade_thresholds import Stage, choose_thresholds
from eval.report.summary import summarize
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.cascade_runs import cascade_run
from tests.support.journaled_runs import pair_item
from tests.support.priced_runs import TABLE

ITEMS = [pair_item(number) for number in range(120)]
Answer = Callable[[Inputs], Prediction]


def number_of(entry: Inputs) -> int:
    return int(entry["id"].rsplit("/", 1)[1])


def sure_of(entry: Inputs) -> float:
    return 0.4 + 0.6 * (number_of(entry) * 37 % 100) / 100


def small(asked: Counter[str], fails: Set[int] = frozenset()) -> Answer:
    """A predictor that is right where it is sure, and counts who asks it."""

    def answer(entry: Inputs) -> Prediction:
        asked["small"] += 1
        number, sure = number_of(entry), sure_of(entry)
        if number in fails:
            raise ValueError("small is lost")
        choice = number % 3 if sure > 0.6 else (number + 1) % 3
        probs = tuple(sure if place == choice else (1 - sure) / 2 for place in range(3))
        return Prediction(choice=choice, status="ok", probs=probs, probs_source="softmax", usage={"input_tokens": 10})

    return answer


def large(asked: Counter[str]) -> Answer:
    def answer(entry: Inputs) -> Prediction:
        asked["large"] += 1
        return Prediction(choice=number_of(entry) % 3, status="ok", raw="said", usage={"input_tokens": 90})

    return answer


def records(run: Run, system: str) -> list[Record]:
    return list(read_records(records_path(run.path, system)))


def run_both(folder: Path, asked: Counter[str], defer: dict[str, float], **more: Any) -> Run:
    systems = {"both": {"cascade": ["small", "large"], "defer": defer}, "small": small(asked), "large": large(asked)}
    return evaluate(ITEMS, systems, out=folder, **more)


def test_members_are_asked_once_and_a_cascade_is_made_of_their_answers(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    run = run_both(tmp_path / "run", asked, {"threshold": 0.7})
    assert asked == {"small": 120, "large": 120}
    first, second, both = (records(run, name) for name in ("small", "large", "both"))
    assert [one.item for one in both] == ITEMS and {one.system for one in both} == {"both"}
    for a, b, record in zip(first, second, both, strict=True):
        assert a.prediction and b.prediction and record.prediction and a.latency_s and b.latency_s
        stage = int(max(a.prediction.probs or ()) < 0.7)
        assert record.prediction.stage == stage
        assert record.prediction.choice == (b if stage else a).prediction.choice
        assert record.prediction.usage == {"input_tokens": 100 if stage else 10}
        assert record.latency_s == pytest.approx(a.latency_s + (b.latency_s if stage else 0))
    assert json.loads((run.path / "both" / "thresholds.json").read_text())["thresholds"] == [0.7]
    names = [system.name for system in run.summary.evaluations[0].systems]
    assert names == ["both", "small", "large"]  # in the order of the suite, whoever had to wait


def test_a_cascade_that_is_asked_itself_gives_the_same_records(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    replayed = run_both(tmp_path / "replayed", asked, {"threshold": 0.7})
    live_asked: Counter[str] = Counter()
    live = cascade(RunnableLambda(small(live_asked)), RunnableLambda(large(live_asked)), 0.7)
    asked_live = evaluate(ITEMS, {"both": live}, out=tmp_path / "live")
    ours, theirs = records(replayed, "both"), records(asked_live, "both")
    assert [one.model_copy(update={"latency_s": 0}) for one in ours] == [
        one.model_copy(update={"latency_s": 0}) for one in theirs
    ]
    passed_on = sum(one.prediction is not None and one.prediction.stage == 1 for one in ours)
    assert 0 < live_asked["large"] == passed_on < 120


@pytest.mark.parametrize(("rule", "value"), [("share", 0.25), ("accuracy", 0.9)])
def test_a_chosen_threshold_keeps_its_rule_on_items_that_it_was_not_chosen_on(
    tmp_path: Path, rule: str, value: float
) -> None:
    run = run_both(tmp_path / "run", Counter(), {rule: value})
    both = records(run, "both")
    alone = [one for one in both if one.prediction and one.prediction.stage == 0]
    assert 20 < len(alone) < 120
    if rule == "share":
        assert 1 - len(alone) / 120 <= value + 0.05
    else:
        right = [one.prediction is not None and one.prediction.choice == one.item.target for one in alone]
        assert np.mean(right) >= value


def test_the_threshold_of_an_item_does_not_depend_on_its_group() -> None:
    rng = np.random.default_rng(0)
    groups, sure = np.arange(100).repeat(3), rng.random(300)
    right = rng.random(300) < 0.5 + sure / 2
    everyone = np.ones(300, dtype=bool)

    def chosen(right: np.ndarray, sure: np.ndarray) -> np.ndarray:
        stages = [Stage(everyone, sure, right), Stage(everyone, sure, everyone)]
        return choose_thresholds({"accuracy": 0.8}, stages, groups).of_items[:, 0]

    before = chosen(right, sure)
    assert len(set(before.tolist())) > 1
    own = groups == 17
    assert (chosen(np.where(own, ~right, right), np.where(own, 0.99, sure))[own] == before[own]).all()


def test_a_failed_member_is_the_cascades_failure_only_where_it_is_needed_and_is_mended_by_resume(
    tmp_path: Path,
) -> None:
    lost = {3, 10}
    systems = {
        "small": small(Counter(), lost),
        "large": large(Counter()),
        "both": {"cascade": ["small", "large"], "defer": {"share": 0.3}},
    }
    policy = CallPolicy(retries=0)
    run = evaluate(ITEMS, systems, out=tmp_path / "run", policy=policy)
    assert run.outcome and run.outcome.errors == 2
    failed = {one.item.id: one.error for one in records(run, "both") if one.error}
    assert failed == {ITEMS[n].id: "small: ValueError: small is lost" for n in lost}
    whole = run_both(tmp_path / "whole", Counter(), {"share": 0.3})
    mended = evaluate(ITEMS, systems | {"small": small(Counter())}, out=tmp_path / "run", resume=True, policy=policy)
    ours, theirs = records(mended, "both"), records(whole, "both")
    assert [one.prediction for one in ours] == [one.prediction for one in theirs]
    asked: Counter[str] = Counter()
    again = systems | {"small": small(asked), "large": large(asked)}
    evaluate(ITEMS, again, out=tmp_path / "run", resume=True)
    assert not asked and records(mended, "both") == ours


def test_records_are_joined_as_far_as_members_answered() -> None:
    item = ITEMS[0]
    unsure = Prediction(choice=0, status="ok", probs=(0.4, 0.3, 0.3))
    first = Record(item=item, system="a", prediction=unsure, latency_s=0.5)
    unmeasured = Record(item=item, system="b", prediction=unsure, latency_s=None, attempts=3)
    failed = Record(item=item, system="c", error="TimeoutError: late", latency_s=2)
    assert joined("j", ["a", "b"], [first, None], [0.9]) is None
    two = joined("j", ["a", "b"], [first, unmeasured], [0.9])
    assert two and two.latency_s is None and two.attempts == 3 and two.prediction and two.prediction.stage == 1
    three = joined("j", ["a", "c", "b"], [first, failed, unmeasured], [0.9, 0.9])
    assert three and three.error == "c: TimeoutError: late" and three.prediction is None and three.latency_s == 2.5
    alone = joined("j", ["a", "c"], [first, failed], [0.4])
    assert alone and alone.prediction and alone.prediction.stage == 0


def test_what_a_cascade_costs_in_a_run_is_what_the_report_of_an_earlier_run_foresaw(tmp_path: Path) -> None:
    foreseen = summarize(cascade_run(tmp_path / "before"), prices=TABLE).evaluations[0].cascades[0].best
    later = cascade_run(tmp_path / "later", seed=50, cascade={"threshold": foreseen.threshold})
    manifest = read_manifest(later)
    make_cascade(later, manifest, manifest.evaluations[0], "both", [pair_item(number) for number in range(600)])
    (evaluation,) = summarize(later, prices=TABLE).evaluations
    both = next(one for one in evaluation.systems if one.name == "both")
    cost, interval = both.cost.usd_per_query, foreseen.usd_interval
    assert cost and foreseen.usd and interval and both.scores and both.scores.accuracy and foreseen.interval
    # Both runs have chance of their own, so that their difference has the root of two times the interval's width.
    assert abs(cost - foreseen.usd) <= 2**0.5 * (interval.high - interval.low) / 2
    assert foreseen.interval.low - 0.01 <= both.scores.accuracy <= foreseen.interval.high + 0.01
    passed_on = sum(
        one.prediction is not None and one.prediction.stage == 1
        for one in read_records(later / "both" / "records.jsonl")
    )
    n = both.scores.n - both.scores.errors
    assert cost == pytest.approx((n * 0.00005 + passed_on * 0.00502) / n)
    assert both.cost.fixed_usd == pytest.approx(60 / 3600 * 0.72)
    # It is a candidate of the verdict like any other, and stands in no cascade itself.
    assert evaluation.verdict and evaluation.verdict.choice == "both"
    assert {(one.first, one.second) for one in evaluation.cascades} <= {("tuned", "gpt")}


def test_rescoring_makes_it_anew(tmp_path: Path) -> None:
    run = run_both(tmp_path / "run", Counter(), {"share": 0.3})
    before = records(run, "both")
    path = records_path(run.path, "both")
    path.write_text("".join(line.replace('"stage":1', '"stage":0') for line in path.open()))
    rescore(run.path)
    assert records(run, "both") == before


def suite(*systems: dict[str, Any], other: tuple[dict[str, Any], ...] = (), limit: int = 60) -> Suite:
    evaluations = [{"benchmark": "mnli", "split": "sample", "limit": limit, "systems": systems}]
    if other:
        evaluations.append({"benchmark": "kice", "split": "sample", "systems": other})
    return Suite.model_validate({"name": "s", "evaluations": evaluations})


def both(*members: str, name: str = "both", **defer: float) -> dict[str, Any]:
    return {"name": name, "cascade": list(members), "defer": defer or {"share": 0.2}}


CHANCE, MAJORITY = {"name": "chance", "baseline": "chance"}, {"name": "majority", "baseline": "always-1"}
GENERATES = {
    "name": "said",
    "chain": "mnli-zero-shot",
    "model": "tests.support.scripted_models:third",
    "answering": "generate",
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (suite(CHANCE, both("chance", "gpt")), "there is no system 'gpt' to be its member; there are chance"),
        (suite(CHANCE, both("chance", "x"), other=({**CHANCE, "name": "x"},)), "'x' answers other items"),
        (suite(CHANCE, both("chance", "both")), "'both' is a cascade itself"),
        (
            suite(CHANCE, MAJORITY, both("chance", "b", name="a"), both("majority", "a", name="b")),
            "'b' is a cascade itself",
        ),
        (suite(CHANCE, both("chance", "chance")), "names a member twice"),
        (suite(CHANCE, GENERATES, both("said", "chance")), "'said' reads generated text and gives no probabilities"),
        (suite(CHANCE, MAJORITY, both("chance", "majority"), limit=40), "40 items are too few"),
        (suite(CHANCE, GENERATES, both("chance", "said", cost=0.01)), "what a query of 'said' costs is unknown"),
        (
            suite(CHANCE, MAJORITY, both("chance", "majority")).model_copy(update={"until_decided": True}),
            "cascade 'both' is made when its members have answered everything",
        ),
    ],
)
def test_what_cannot_be_a_cascade_is_refused_in_one_line_before_anything_is_written(
    tmp_path: Path, wrong: Suite, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        evaluate(wrong, out=tmp_path / "run")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"cascade": ["a", "b"]}, "needs a rule to pass items on by"),
        (
            {"cascade": ["a", "b"], "defer": {"share": 0.1, "cost": 1}},
            "exactly one of accuracy, cost, share, threshold",
        ),
        ({"cascade": ["a", "b"], "defer": {}}, "exactly one of"),
        ({"cascade": ["a", "b"], "defer": {"accuracy": 1.5}}, "less than 1"),
        ({"cascade": ["a"], "defer": {"share": 0.1}}, "at least 2"),
        ({"cascade": ["a", "b", "c"], "defer": {"cost": 0.1}}, "two systems, not among more"),
        ({"baseline": "chance", "defer": {"share": 0.1}}, "defer goes with a cascade, not with a baseline"),
        ({"cascade": ["a", "b"], "defer": {"share": 0.1}, "model": "gpt"}, "model goes with a chain"),
    ],
)
def test_a_faulty_entry_is_refused_in_one_line(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        evaluate(ITEMS, {"both": entry}, out=tmp_path / "run")
    assert "\n" not in str(caught.value)
