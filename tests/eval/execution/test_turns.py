"""Runs that end once their systems are decided, over a server that counts: what is asked, what is not, and going on."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from data.registry import fingerprint
from data.types import Item, Prediction
from eval.cli.parser import main
from eval.execution.runner import run
from eval.measures.differences import compare
from eval.measures.run_answers import read_answers
from eval.plan.planning import Plan, PlannedEvaluation
from eval.plan.system import System
from eval.rundir.description import SystemDescription
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import Evaluation, Manifest
from tests.support.chat_endpoint import serve_chat
from tests.support.command_process import start, wait_for
from tests.support.two_models import asked, reply, write_suite

ITEMS = 100


def figures(run_dir: Path) -> dict[str, Any]:
    (evaluation,) = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))["evaluations"]
    return dict(evaluation)


def answers(run_dir: Path, name: str) -> list[tuple[str, int | None]]:
    records = read_records(records_path(run_dir, name))
    return [(one.item.id, one.prediction.choice if one.prediction else None) for one in records]


def test_calls_fall_by_the_share_that_the_report_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve_chat(reply) as server:
        suite = write_suite(tmp_path, server, ["right-90", "right-40"], items=ITEMS)
        out = tmp_path / "out"
        assert main(["run", str(suite), "--until-decided", "--out", str(out)]) == 0
        sent = asked(server)
        found = figures(out)
        (pair,) = found["comparisons"]
        assert pair["decided"] == "b" and pair["at_any_time"] and pair["interval"][1] < 0
        assert sent["right-90"] == sent["right-40"] == pair["n"] < ITEMS and pair["n_decided"] <= pair["n"]
        assert {one["system"]: one["asked"] for one in found["early_end"]["spared"]} == sent
        share = f"{100 * (1 - pair['n'] / ITEMS):.1f}% of the calls of right-90"
        assert any(share in sentence for sentence in found["conclusion"])
        assert found["complete"] and found["verdict"]["choice"] == "right-90"
        assert "macro_f1_interval" not in json.dumps([one for one in found["systems"] if one["macro_f1_interval"]])
        assert "of 100 items): take right-90" in capsys.readouterr().out

        ids = [item_id for item_id, _ in answers(out, "right-90")]
        assert ids == [item_id for item_id, _ in answers(out, "right-40")]
        assert main(["run", str(suite), "--until-decided", "--resume", str(out)]) == 0
        assert asked(server) == sent and figures(out) == found

        # Going on past the stop: all is asked, and the decision stands.
        assert main(["run", str(suite), "--resume", str(out)]) == 0
        assert asked(server) == {"right-90": ITEMS, "right-40": ITEMS}
        (later,) = figures(out)["comparisons"]
        assert later["n"] == ITEMS and later["at_any_time"]
        assert (later["decided"], later["n_decided"]) == (pair["decided"], pair["n_decided"])


def test_a_system_that_is_decided_against_all_others_is_asked_no_more(tmp_path: Path) -> None:
    with serve_chat(reply) as server:
        suite = write_suite(tmp_path, server, ["right-75", "right-10", "right-70"], items=ITEMS, until_decided=True)
        out = tmp_path / "out"
        assert main(["run", str(suite), "--out", str(out)]) == 0
        sent, found = asked(server), figures(out)
    assert sent["right-10"] < sent["right-75"] == sent["right-70"] == ITEMS
    decided = {(one["a"], one["b"]): one.get("decided") for one in found["comparisons"]}
    assert decided == {("right-10", "right-75"): "b", ("right-70", "right-75"): None, ("right-70", "right-10"): "a"}
    assert found["early_end"]["unfinished"] == [] and found["complete"]


@pytest.mark.timeout(300)
def test_kills_change_no_decision(tmp_path: Path) -> None:
    out, undisturbed, moments = tmp_path / "out", tmp_path / "undisturbed", random.Random(5)

    def slowly(body: dict[str, Any]) -> str:
        time.sleep(0.01)
        return reply(body)

    with serve_chat(slowly) as server:
        suite = write_suite(tmp_path, server, ["right-60", "right-45"], items=ITEMS, until_decided=True)
        kills = 0
        for goal in (15, 60, 110):
            how = "--resume" if (out / "manifest.json").exists() else "--out"
            process = start(["run", str(suite), how, str(out)])
            wait_for(lambda: len(server.requests) >= goal, process)  # noqa: B023  # called in this round
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
            process.join()
            kills += 1
        assert main(["run", str(suite), "--resume", str(out)]) == 0
        disturbed = len(server.requests)
        assert main(["run", str(suite), "--out", str(undisturbed)]) == 0
        assert disturbed - (len(server.requests) - disturbed) <= kills * 8, "what was in flight alone is asked again"
    for name in ("right-60", "right-45"):
        assert answers(out, name) == answers(undisturbed, name)
    assert figures(out)["comparisons"] == figures(undisturbed)["comparisons"]


def test_nothing_changes_without_the_option(tmp_path: Path) -> None:
    with serve_chat(reply) as server:
        suite = write_suite(tmp_path, server, ["right-90", "right-40"], items=20)
        out = tmp_path / "out"
        assert main(["run", str(suite), "--out", str(out)]) == 0
    manifest, summary = ((out / name).read_text(encoding="utf-8") for name in ("manifest.json", "summary.json"))
    for word in ("until_decided", "largest_group"):
        assert word not in manifest
    for word in ("early_end", "at_any_time", '"decided"'):
        assert word not in summary


@pytest.mark.parametrize(
    ("models", "more", "said"),
    [
        (["right-90"], [], "'right-90' alone answers kice; name two or more"),
        (["right-90", "right-80"], ["--margin", "1"], "--margin 1 is never met: with 20 items of kice"),
        (["right-90", "right-80"], ["--margin", "0"], "--margin 0 is never met"),
    ],
)
def test_what_can_never_be_decided_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], models: list[str], more: list[str], said: str
) -> None:
    with serve_chat(reply) as server:
        suite = write_suite(tmp_path, server, models, items=20)
        out = tmp_path / "out"
        assert main(["run", str(suite), "--until-decided", "--out", str(out), *more]) == 2
        assert not server.requests and not out.exists()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert said in line


def planned(
    items: list[Item],
    opened: list[str],
    *,
    limit: int | None = None,
    margin: float = 2,
    of_b: Callable[[dict[str, Any]], Prediction] = lambda entry: Prediction(choice=1, status="ok"),
) -> Plan:
    """Two systems, a that is always right, and b that never is where nothing else is said; each notes its opening."""

    def system(name: str, answer: Callable[[dict[str, Any]], Prediction], limit: int | None = None) -> System:
        def opening(_: Path) -> Any:
            opened.append(name)
            return RunnableLambda(lambda entry: entry) | RunnableLambda(answer)

        return System(name, SystemDescription(), 64, opening, limit=limit)

    evaluation = Evaluation(
        benchmark="b",
        split="s",
        data=None,
        n_items=len(items),
        fingerprint=fingerprint(items),
        systems=("a", "b"),
        largest_group=max(sum(other.group == one.group for other in items) for one in items),
    )
    manifest = Manifest(
        name="n",
        suite={"until_decided": True, "margin": margin},
        evaluations=(evaluation,),
        systems={"a": {}, "b": {}},
        seed=3,
        started_utc="2026-01-01T00:00:00+00:00",
    )
    systems = [system("a", right), system("b", of_b, limit)]
    return Plan(manifest, [PlannedEvaluation(evaluation, items, systems)])


def right(entry: dict[str, Any]) -> Prediction:
    return Prediction(choice=0, status="ok")


def items_in_groups(n: int, size: int) -> list[Item]:
    return [Item(id=f"i{k:03}", inputs={}, choices=("a", "b"), target=0, group=f"g{k // size}") for k in range(n)]


def test_groups_are_asked_whole_and_a_system_is_opened_once(tmp_path: Path) -> None:
    opened: list[str] = []
    outcome = run(planned(items_in_groups(200, 4), opened), tmp_path / "run")
    assert sorted(opened) == ["a", "b"] and outcome.errors == 0
    assert 20 <= outcome.asked / 2 < 200
    for name in ("a", "b"):
        groups = [record.item.group for record in read_records(records_path(tmp_path / "run", name))]
        assert all(groups.count(group) == 4 for group in groups)


def test_a_system_with_a_limit_is_compared_on_its_items_and_the_run_ends_with_them(tmp_path: Path) -> None:
    items = items_in_groups(100, 1)
    run(planned(items, [], limit=5), tmp_path / "run")  # five items decide nothing
    of_b = {record.item.id for record in read_records(records_path(tmp_path / "run", "b"))}
    of_a = {record.item.id for record in read_records(records_path(tmp_path / "run", "a"))}
    assert of_a == of_b == {item.id for item in items[:5]}


def test_a_narrower_margin_goes_on_and_a_wider_one_asks_nothing(tmp_path: Path) -> None:
    items, out = items_in_groups(400, 1), tmp_path / "run"
    run(planned(items, [], margin=10, of_b=right), out)
    (wide,) = compare(read_answers(out))
    assert wide.decided == "equal" and wide.n < 150
    assert run(planned(items, [], margin=4, of_b=right), out, resume=True).asked > 0
    (narrow,) = compare(read_answers(out))
    assert narrow.decided == "equal" and wide.n < narrow.n < 400
    assert run(planned(items, [], margin=10, of_b=right), out, resume=True).asked == 0
    assert compare(read_answers(out))[0].n_decided == wide.n_decided


def test_failed_items_bet_nothing_and_are_asked_again(tmp_path: Path) -> None:
    def fails_at_first(entry: dict[str, Any]) -> Prediction:
        if int(entry["id"][1:]) % 3 == 0:
            raise ValueError("not today")
        return Prediction(choice=1, status="ok")

    items, out = items_in_groups(200, 1), tmp_path / "run"
    outcome = run(planned(items, [], of_b=fails_at_first), out)
    (pair,) = compare(read_answers(out))
    assert pair.decided == "b" and pair.n_left_out == outcome.errors > 0
    assert pair.n + pair.n_left_out == outcome.asked // 2
    again = run(planned(items, []), out, resume=True)
    (pair,) = compare(read_answers(out))
    assert again.errors == pair.n_left_out == 0 and pair.decided == "b"


def test_two_runs_of_which_one_ended_early_are_compared_by_what_holds_at_any_time(tmp_path: Path) -> None:
    items = items_in_groups(200, 1)
    for name in ("one", "other"):
        run(planned(items, []), tmp_path / name)
    found = compare(read_answers(tmp_path / "one"), read_answers(tmp_path / "other"))
    assert all(pair.at_any_time for pair in found)
    assert {(pair.a, pair.b) for pair in found} >= {("A/a", "B/a"), ("A/b", "B/b")}
