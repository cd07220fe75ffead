"""What the systems of a run cost: the cost model fed from the run's answers.

A run and the cards of what it trained in, a `SystemCost` a system out. It reads the prices that are in force when it is
called, so a run can be priced again at any time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.common.errors import ProjectError
from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.costs import BreakEven, SystemCost, break_evens, system_cost
from eval.measures.differences import evaluation_groups
from eval.measures.prices import PriceTable, price_table
from eval.measures.run_answers import RunAnswers
from eval.measures.training_costs import fit_facts, training_facts
from eval.rundir.description import Machine, SystemDescription, model_spec


class EvaluationCosts(Frozen):
    """What the systems on one benchmark cost, of one run or of two.

    Attributes:
        systems: The systems, by name, with the run in front where there are two: "A/tuned".
        accuracies: The accuracies, by the same names; None where nothing was answered.
    """

    benchmark: str
    systems: dict[str, SystemCost]
    accuracies: dict[str, float | None]
    break_even: tuple[BreakEven, ...]


def costs_of_runs(run_a: RunAnswers, run_b: RunAnswers | None = None) -> list[EvaluationCosts]:
    """Price the systems of one run, or those of two runs over the same items.

    Raises:
        ConfigurationError: As `eval.measures.differences.compare`; or the price table or a training card is damaged.
    """
    table, found = price_table(), []
    for group in evaluation_groups(run_a, run_b):
        systems, accuracies = {}, {}
        for prefix, run, _, answers in group:
            for name, one in answers.items():
                description, hardware = run.manifest.systems[name], run.manifest.hardware
                systems[prefix + name] = cost_of(description, one, run.run_dir / name, hardware=hardware, table=table)
                given = one.predictions
                accuracies[prefix + name] = float(given.correct.mean()) if len(given) else None
        benchmark = group[0].evaluation.benchmark
        found.append(
            EvaluationCosts(
                benchmark=benchmark, systems=systems, accuracies=accuracies, break_even=break_evens(systems)
            )
        )
    return found


def costs_json(found: Sequence[EvaluationCosts]) -> dict[str, list[dict[str, Any]]]:
    """Return the costs and break-evens for programs, a row each; what is unknown is null."""
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
    }


def cost_of(
    description: SystemDescription,
    answers: Answers,
    folder: Path,
    *,
    hardware: Machine | None,
    table: PriceTable,
) -> SystemCost:
    """Price one system of a run.

    Args:
        description: What the manifest says of it.
        answers: Its own.
        folder: Its folder in the run, where training left its checkpoint.
        hardware: The run's.
        table: Prices.
    """
    training = description.training
    if description.kind == "finetune":
        training = training_facts(folder / "checkpoint")
    elif description.kind == "baseline":
        training = fit_facts(folder)
    return system_cost(with_full_spec(description), answers, hardware=hardware, training=training, table=table)


def with_full_spec(description: SystemDescription) -> SystemDescription:
    """Replace an alias such as "gpt" by the spec that the price table knows."""
    from chains.models.specs import resolve_spec

    spec, model = model_spec(description), description.model
    if spec is None or model is None:
        return description
    try:
        return description.model_copy(update={"model": model.model_copy(update={"spec": resolve_spec(spec)})})
    except ProjectError:  # a name of another version's, which the price table may still know
        return description
