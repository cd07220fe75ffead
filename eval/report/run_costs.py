"""What the systems of a run cost: the cost model fed from the run's directory.

A manifest, its records and the cards of what it trained in, a `SystemCost` a system out. It reads the prices that are
in force when it is called, so a run can be priced again at any time.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.common.errors import ProjectError
from data.types import Frozen, Prediction, Record
from eval.measures.costs import BreakEven, Measured, SystemCost, break_evens, system_cost
from eval.measures.differences import evaluation_groups
from eval.measures.prices import PriceTable, price_table
from eval.measures.training_costs import training_facts
from eval.rundir.description import Machine, SystemDescription, model_spec
from eval.rundir.journal import latest_records, records_path


class EvaluationCosts(Frozen):
    """What the systems on one benchmark cost, of one run or of two.

    Attributes:
        systems: By name, with the run in front where there are two: "A/tuned".
        accuracies: By the same names; None where nothing was answered.
    """

    benchmark: str
    systems: dict[str, SystemCost]
    accuracies: dict[str, float | None]
    break_even: tuple[BreakEven, ...]


def costs_of_runs(run_a: Path, run_b: Path | None = None) -> list[EvaluationCosts]:
    """Price the systems of one run, or those of two runs over the same items.

    Raises:
        MissingResourceError: A folder is no run.
        ConfigurationError: As `eval.measures.differences.compare`; or the price table or a training card is damaged.
    """
    table, found = price_table(), []
    for group in evaluation_groups(run_a, run_b):
        systems, accuracies = {}, {}
        for prefix, run_dir, manifest, evaluation in group:
            for name in evaluation.systems:
                measured = measure(latest_records(records_path(run_dir, name), texts=False).values())
                description, hardware = manifest.systems[name], manifest.hardware
                systems[prefix + name] = cost_of(description, measured, run_dir / name, hardware=hardware, table=table)
                n = measured.predictions
                accuracies[prefix + name] = measured.correct / n if n else None
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


def measure(records: Collection[Record]) -> Measured:
    """Add up what the cost model needs of a system's records; failed calls are left out, as in its scores."""
    answered = [(record, record.prediction) for record in records if record.prediction is not None]
    counted = [taken for _, prediction in answered if _is_counted(taken := _asked_for(prediction))]
    usage: dict[str, int] = {}
    for one in counted:
        for name, count in one.items():
            usage[name] = usage.get(name, 0) + count
    return Measured(
        predictions=len(answered),
        correct=sum(prediction.choice == record.item.target for record, prediction in answered),
        seconds=sum(record.latency_s or 0 for record, _ in answered),
        usage=usage,
        counted=len(counted),
    )


def cost_of(
    description: SystemDescription,
    measured: Measured,
    folder: Path,
    *,
    hardware: Machine | None,
    table: PriceTable,
) -> SystemCost:
    """Price one system of a run.

    Args:
        description: What the manifest says of it.
        measured: Of its records.
        folder: Its folder in the run, where training left its checkpoint.
        hardware: The run's.
        table: Prices.
    """
    training = description.training
    if description.kind == "finetune":
        training = training_facts(folder / "checkpoint")
    return system_cost(with_full_spec(description), measured, hardware=hardware, training=training, table=table)


def _asked_for(prediction: Prediction) -> dict[str, int]:
    """Return the tokens that an answer takes where it is asked for: a query's cost is what the next one will cost.

    So what the response cache saved counts as if it had not.
    """
    usage: dict[str, int] = {}
    for name, count in prediction.usage.items():
        name = name.removeprefix("saved_")
        usage[name] = usage.get(name, 0) + count
    return usage


def _is_counted(usage: Mapping[str, int]) -> bool:
    """Say whether a server reported both counts that are paid for: none, or a prompt of 0 tokens, is no report."""
    return usage.get("input_tokens", 0) > 0 and "output_tokens" in usage


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
