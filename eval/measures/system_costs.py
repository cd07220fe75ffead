"""What the systems of an evaluation cost, each as a whole and each of its answers: cascades by what their parts cost.

Descriptions, answers and the run's folder in, a `Priced` a system out. It reads the cards of what was trained, and the
prices that it is given.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.common.errors import ProjectError
from eval.measures.answers import Answers
from eval.measures.costs import SystemCost, system_cost
from eval.measures.item_costs import item_usd
from eval.measures.prices import PriceTable
from eval.measures.training_costs import fit_facts, training_facts
from eval.rundir.description import Machine, SystemDescription, model_spec, role_of


class Priced(NamedTuple):
    """What a system costs.

    Attributes:
        cost: The price of the system as a whole.
        usd: (n,) US dollars of each answer that holds a prediction, in the order of `Answers.predictions`; None where
            unknown.
    """

    cost: SystemCost
    usd: np.ndarray | None


def price_systems(
    answers: Mapping[str, Answers],
    descriptions: Mapping[str, SystemDescription],
    run_dir: Path,
    *,
    hardware: Machine | None,
    table: PriceTable,
) -> dict[str, Priced]:
    """Price the systems of an evaluation, in the order of their answers.

    Args:
        answers: The answers of each system, by name.
        descriptions: What the manifest says of each.
        run_dir: The run, in whose folders training left its cards.
        hardware: The run's.
        table: Prices.
    """
    priced: dict[str, Priced] = {}
    for name in sorted(answers, key=lambda name: _needs_others(descriptions[name])):
        description, own = with_full_spec(descriptions[name]), answers[name]
        if description.cascade is not None:
            priced[name] = _price_cascade(description, own, answers, priced)
            continue
        teacher = priced.get(description.labels_from or "")
        taught_by = teacher.cost if teacher else None
        cost = _cost_of(description, own, run_dir / name, hardware=hardware, table=table, teacher=taught_by)
        given = own.predictions
        priced[name] = Priced(cost, item_usd(description, given, cost, table=table) if len(given) else None)
    return {name: priced[name] for name in answers}


def _needs_others(description: SystemDescription) -> int:
    """Return what to sort systems by, so that each stands behind those whose cost is part of its own."""
    return 2 if description.cascade is not None else 1 if description.labels_from is not None else 0


def _cost_of(
    description: SystemDescription,
    answers: Answers,
    folder: Path,
    *,
    hardware: Machine | None,
    table: PriceTable,
    teacher: SystemCost | None,
) -> SystemCost:
    """Price one system of a run that is no cascade.

    Args:
        description: What the manifest says of it, with its model's full spec.
        answers: Its own.
        folder: Its folder in the run, where training left its checkpoint.
        hardware: The run's.
        table: Prices.
        teacher: What the system costs whose answers it learnt; None where it has none.
    """
    training = description.training
    if description.kind == "finetune":
        training = training_facts(folder / "checkpoint")
    elif description.kind == "baseline":
        training = fit_facts(folder)
    return system_cost(description, answers, hardware=hardware, training=training, table=table, teacher=teacher)


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


def _price_cascade(
    description: SystemDescription, answers: Answers, others: Mapping[str, Answers], priced: Mapping[str, Priced]
) -> Priced:
    """Price a cascade: an answer costs what the answers of all stages up to its own cost."""
    members, given = description.cascade or [], answers.predictions
    usd, note = _summed(members, given, others, priced)
    costs = [priced[name].cost for name in members if name in priced]
    fixed = [one.fixed_usd for one in costs]
    n, correct = len(given), int(given.correct.sum())
    mean = None if usd is None else float(usd.mean())
    known = None not in fixed and len(fixed) == len(members)
    cost = SystemCost(
        role=role_of(description),
        fixed_usd=sum(one or 0.0 for one in fixed) if known else None,
        usd_per_query=mean,
        usd_per_correct=None if mean is None or not correct else mean * n / correct,
        usd=None if mean is None else mean * n,
        runs_on=" + ".join(dict.fromkeys(one.runs_on for one in costs)),
        training=None,
        note=note,
        sources=tuple(dict.fromkeys(source for one in costs for source in one.sources)),
    )
    return Priced(cost, usd)


def _summed(
    members: list[str], given: Answers, others: Mapping[str, Answers], priced: Mapping[str, Priced]
) -> tuple[np.ndarray | None, str]:
    """Return (n,) what each answer of a cascade cost, or why that is unknown."""
    if not len(given):
        return None, "it answered nothing"
    total = np.zeros(len(given))
    for stage, name in enumerate(members):
        reached = given.rows["stage"] >= stage
        if not reached.any():
            continue
        if name not in priced or priced[name].usd is None:
            return None, f"{name}: {priced[name].cost.note if name in priced else 'it answered nothing'}"
        of_items = np.full(len(given.items.ids), np.nan)
        of_items[others[name].predictions.rows["item"]] = priced[name].usd
        total[reached] += of_items[given.rows["item"][reached]]
    if np.isnan(total).any():
        return None, "the answers that it was made of have changed"
    return total, ""
