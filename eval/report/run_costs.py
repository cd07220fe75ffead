"""What the systems of a run cost: the cost model fed from the run's answers.

A run and the cards of what it trained in, a `SystemCost` a system out. It reads the prices that are in force when it is
called, so a run can be priced again at any time.
"""

from collections.abc import Sequence

from data.common.parsing import JsonObject
from data.types import Frozen
from eval.measures.cascade import cascades_of
from eval.measures.cascade_figures import Cascade
from eval.measures.cascade_pair import Member
from eval.measures.costs import BreakEven, SystemCost, break_evens
from eval.measures.differences import evaluation_groups
from eval.measures.prices import price_table
from eval.measures.run_answers import RunAnswers
from eval.measures.sequential import drawn_of
from eval.measures.system_costs import price_systems


class EvaluationCosts(Frozen):
    """What the systems on one benchmark cost, of one run or of two, and what cascades of them would.

    Attributes:
        systems: The systems, by name, with the run in front where there are two: "A/tuned".
        accuracies: The accuracies, by the same names; None where nothing was answered.
        cascades: The cascades of the most accurate of them with each other one, by the same names, the best first.
    """

    benchmark: str
    systems: dict[str, SystemCost]
    accuracies: dict[str, float | None]
    break_even: tuple[BreakEven, ...]
    cascades: tuple[Cascade, ...] = ()


def costs_of_runs(run_a: RunAnswers, run_b: RunAnswers | None = None) -> list[EvaluationCosts]:
    """Price the systems of one run, or those of two runs over the same items.

    Raises:
        ConfigurationError: As `eval.measures.differences.compare`; or the price table or a training card is damaged.
    """
    table, found = price_table(), []
    for group in evaluation_groups(run_a, run_b):
        systems, accuracies, members = {}, {}, dict[str, Member]()
        for prefix, run, evaluation, answers in group:
            manifest = run.manifest
            priced = price_systems(answers, manifest.systems, run.run_dir, hardware=manifest.hardware, table=table)
            for name, one in answers.items():
                systems[prefix + name] = priced[name].cost
                given = one.predictions
                accuracies[prefix + name] = float(given.correct.mean()) if len(given) else None
                in_step = drawn_of(manifest, evaluation) is not None  # a cascade has no intervals of that kind
                if len(given) and manifest.systems[name].cascade is None and not in_step:
                    members[prefix + name] = Member(prefix + name, given, priced[name].usd)
        benchmark = group[0].evaluation.benchmark
        found.append(
            EvaluationCosts(
                benchmark=benchmark,
                systems=systems,
                accuracies=accuracies,
                break_even=break_evens(systems),
                cascades=cascades_of(members),
            )
        )
    return found


def costs_json(found: Sequence[EvaluationCosts]) -> dict[str, list[JsonObject]]:
    """Return the costs, break-evens and cascades for programs, a row each; what is unknown is null."""
    return {
        "costs": [
            {
                "benchmark": one.benchmark,
                "system": name,
                "accuracy": one.accuracies[name],
                **cost.model_dump(mode="json"),
            }
            for one in found
            for name, cost in one.systems.items()
        ],
        "break_even": [
            {"benchmark": one.benchmark, **pair.model_dump(mode="json")} for one in found for pair in one.break_even
        ],
        "cascades": [
            {"benchmark": one.benchmark, **cascade.model_dump(mode="json")} for one in found for cascade in one.cascades
        ],
    }
