"""Plans and manifests of a few made-up items, for runs that no command line begins."""

from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableLambda

from data.registry import fingerprint
from data.types import Item, Prediction
from eval.plan.planning import Plan, PlannedEvaluation
from eval.plan.system import System
from eval.rundir.description import SystemDescription
from eval.rundir.manifest import Evaluation, Manifest


def item(number: int, *, group: str = "g", length: int = 10) -> Item:
    return Item(id=f"i{number}", inputs={"passage": "x" * length}, choices=("a", "b"), target=0, group=group)


def planned(items: list[Item], answer: Callable[[dict[str, Any]], Prediction], batch_size: int | None) -> Plan:
    evaluation = Evaluation(
        benchmark="b", split="s", data=None, n_items=len(items), fingerprint=fingerprint(items), systems=("s",)
    )
    manifest = Manifest(
        name="n",
        suite={},
        evaluations=(evaluation,),
        systems={"s": {}},
        seed=0,
        started_utc="2026-01-01T00:00:00+00:00",
    )
    predictor = RunnableLambda(lambda entry: entry) | RunnableLambda(answer)
    return Plan(
        manifest,
        [PlannedEvaluation(evaluation, items, [System("s", SystemDescription(), batch_size, lambda _: predictor)])],
    )


def manifest(**changes: object) -> Manifest:
    evaluation = Evaluation(benchmark="b", split="s", data=None, n_items=1, fingerprint="f", systems=("s",))
    fields: dict[str, object] = {
        "name": "n",
        "suite": {},
        "evaluations": (evaluation,),
        "systems": {"s": {}},
        "seed": 0,
        "started_utc": "2026-01-01T00:00:00+00:00",
    }
    return Manifest.model_validate(fields | changes)
