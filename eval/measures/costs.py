"""Which is cheaper: what training costs once against what each query costs, and where the two meet.

A system's description and its answers in a run in, US dollars out. Nothing here reads a file: the price table
and the training's facts are handed in. An unknown price is None with the reason beside it, and whatever is computed
from it is None too; it is never 0.

    total(queries) = fixed + queries * per_query
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers
from eval.measures.prices import PriceTable, machine_parts, price
from eval.rundir.description import Machine, Role, SystemDescription, TrainingFacts, model_spec, role_of
from eval.rundir.priced_parts import is_api, machine_name, place_of, priced_as, unpriced_retrieval, used_hardware

SAME = 1e-9  # two amounts that differ by a smaller share are the same: the rest is rounding


class Amount(NamedTuple):
    """US dollars; None with the reason in `note` where they are unknown. `source` is where the price was read."""

    usd: float | None
    note: str = ""
    source: str = ""


class Training(Frozen):
    """What a system cost before its first query.

    Attributes:
        usd: Its seconds, evaluations included, on its machine; None where unknown.
        labels_usd: What it costs to have its items labelled, by people or by its teacher; None where the price table
            does not say, and then it is not counted, and where it is not known, which `notes` say.
        wall_s: Seconds.
        n_items: Items that it learnt from.
        machine: What it ran on; "" where unknown.
        notes: Why what is to be counted is unknown, each reason by itself; empty where it is known.
    """

    usd: float | None
    labels_usd: float | None
    wall_s: float | None
    n_items: int | None
    machine: str
    notes: tuple[str, ...]


class SystemCost(Frozen):
    """What one system costs in US dollars; None is unknown.

    Attributes:
        fixed_usd: Before the first query: training, and labelling where its price is known. 0 where nothing is trained.
        usd_per_query: Mean over the items of the run.
        usd_per_correct: `usd_per_query` for each right answer; training is not in it.
        usd: All queries of the run.
        runs_on: A machine, "API", or "endpoint": a server of the user's choice.
        training: None where nothing is trained.
        note: Why `usd_per_query` is unknown; "" where it is known.
        sources: Where and when the prices were read.
    """

    role: Role
    fixed_usd: float | None
    usd_per_query: float | None
    usd_per_correct: float | None
    usd: float | None
    runs_on: str
    training: Training | None
    note: str
    sources: tuple[str, ...]


class BreakEven(Frozen):
    """A trained system against a prompted one.

    Attributes:
        verdict: Whether the trained one is cheaper "from" some number of queries on, "always", or "never"; "same"
            where both cost the same, at any number.
        queries: Where both have cost the same; None unless the verdict is "from".
        fixed_usd: What the trained one costs more before the first query.
        saved_usd: What it saves in a query; negative where it costs more.
        reason: Why the verdict is "unknown"; "" where it is known.
    """

    trained: str
    prompted: str
    verdict: Literal["from", "always", "never", "same", "unknown"]
    queries: float | None
    fixed_usd: float | None
    saved_usd: float | None
    reason: str


def system_cost(
    description: SystemDescription,
    answers: Answers,
    *,
    hardware: Machine | None,
    training: TrainingFacts | None,
    table: PriceTable,
    teacher: SystemCost | None = None,
) -> SystemCost:
    """Price one system.

    Args:
        description: What the manifest says that the system is.
        answers: Its own; failed calls are left out, as in its scores.
        hardware: The machine of the run; None where the run does not say.
        training: As `training_costs.training_facts` returns them; None where nothing is known of the training.
        table: Prices.
        teacher: What the system costs whose answers are the labels; None where people label.
    """
    role = role_of(description)
    worked_on = used_hardware(description, hardware, role=role)
    given = answers.predictions
    query = _query(description, given, hardware=worked_on, role=role, table=table)
    trained, training_source = _training(description, training, role=role, table=table, teacher=teacher)
    fixed = 0.0 if trained is None else None if trained.notes else (trained.usd or 0.0) + (trained.labels_usd or 0.0)
    n, correct = len(given), int(given.correct.sum())
    return SystemCost(
        role=role,
        fixed_usd=fixed,
        usd_per_query=query.usd,
        usd_per_correct=None if query.usd is None or not correct else query.usd * n / correct,
        usd=None if query.usd is None else query.usd * n,
        runs_on=place_of(description) or machine_name(worked_on),
        training=trained,
        note=query.note,
        sources=tuple(dict.fromkeys(source for source in (query.source, *training_source) if source)),
    )


def break_evens(costs: Mapping[str, SystemCost]) -> tuple[BreakEven, ...]:
    """Set every trained system against every prompted one; a baseline is no choice that is to be made.

    Args:
        costs: The costs, by the system's name.
    """
    by_role = {role: [name for name, cost in costs.items() if cost.role == role] for role in ("trained", "prompted")}
    return tuple(break_even((a, costs[a]), (b, costs[b])) for a in by_role["trained"] for b in by_role["prompted"])


def break_even(trained: tuple[str, SystemCost], prompted: tuple[str, SystemCost]) -> BreakEven:
    """Find the number of queries at which two systems have cost the same."""
    (name_a, a), (name_b, b) = trained, prompted
    if a.fixed_usd is None or b.fixed_usd is None or a.usd_per_query is None or b.usd_per_query is None:
        reasons = [f"{name}: {why}" for name, cost in (trained, prompted) for why in unknown_parts(cost)]
        verdict, queries, fixed, saved = "unknown", None, None, None
    else:
        reasons, fixed, saved = [], _less(a.fixed_usd, b.fixed_usd), _less(b.usd_per_query, a.usd_per_query)
        verdict = _verdict(fixed, saved)
        queries = fixed / saved if verdict == "from" else None
    return BreakEven.model_validate(
        {
            "trained": name_a,
            "prompted": name_b,
            "verdict": verdict,
            "queries": queries,
            "fixed_usd": fixed,
            "saved_usd": saved,
            "reason": "; ".join(reasons),
        }
    )


def _verdict(fixed: float, saved: float) -> str:
    if fixed == 0 and saved == 0:
        return "same"
    if fixed <= 0 and saved >= 0:
        return "always"
    return "from" if fixed > 0 and saved > 0 else "never"


def _less(a: float, b: float) -> float:
    """Return a - b, 0 where only rounding tells them apart."""
    return 0.0 if math.isclose(a, b, rel_tol=SAME) else a - b


def unknown_parts(cost: SystemCost) -> list[str]:
    """Say what keeps a system's cost from being known, training first."""
    training = [] if cost.training is None else [f"training: {note}" for note in cost.training.notes]
    return [*training, *([cost.note] if cost.note else [])]


def _query(
    description: SystemDescription,
    given: Answers,
    *,
    hardware: Machine | None,
    role: Role,
    table: PriceTable,
) -> Amount:
    """Price a mean query."""
    spec = model_spec(description)
    if not len(given):
        return Amount(None, "it answered nothing")
    if description.log is not None and description.log.usd is not None and description.log.usd_items:
        return Amount(description.log.usd / description.log.usd_items, source=f"as {description.log.tool} logged it")
    if unpriced := unpriced_retrieval(description):
        return Amount(None, unpriced)
    if is_api(description):
        usage, n_counted = query_usage(given)
        if not n_counted:
            return Amount(None, "no token counts were reported")
        name = priced_as(description)
        usd = price(usage, str(name), table=table)
        if usd is None:
            return Amount(None, f"no price for the model {name}")
        return Amount(usd / n_counted, source=table.cited())
    if role == "prompted" and spec is None:
        imported = description.kind == "imported"
        return Amount(
            None, "what its replies cost is not recorded" if imported else "what a chain of your own calls is not known"
        )
    return _machine_time(mean_seconds(given), hardware, table=table)


def query_usage(given: Answers) -> tuple[dict[str, int], int]:
    """Sum the tokens of the predictions whose tokens, those sent and those written, were reported; and count these.

    A query's cost is what the next one will cost: what the response cache saved counts as if it had not. A prompt of
    0 tokens is no report.
    """
    names = {name.removeprefix("saved_") for name in given.usage}
    taken = {name: given.counted_with_saved(name) for name in names}
    has_output = given.has_count("output_tokens") | given.has_count("saved_output_tokens")
    reported = has_output & (taken["input_tokens"] > 0) if "input_tokens" in taken else has_output & False
    return {name: int(counts[reported].sum()) for name, counts in taken.items()}, int(reported.sum())


def mean_seconds(given: Answers) -> float:
    """Return the seconds of an item: of a batch each has its share, so that their sum is the time that passed."""
    return float(np.nansum(given.rows["latency_s"])) / len(given)


def _machine_time(seconds: float | None, hardware: Machine | None, *, table: PriceTable) -> Amount:
    if hardware is None or not hardware.is_known:
        return Amount(None, "the machine is not noted")
    if seconds is None:
        return Amount(None, "the time is not noted")
    parts = machine_parts(hardware, table=table)
    if parts is None:
        return Amount(None, f"no price for the machine {machine_name(hardware)}")
    sources = "; ".join(dict.fromkeys(table.cited(part) for part in parts))
    return Amount(seconds / 3600 * sum(part.usd_per_hour for part in parts), source=sources)


def _training(
    description: SystemDescription,
    facts: TrainingFacts | None,
    *,
    role: Role,
    table: PriceTable,
    teacher: SystemCost | None,
) -> tuple[Training | None, list[str]]:
    """Price a training, and name the sources; None where nothing is learnt from."""
    known = facts or TrainingFacts()
    n_items = known.n or description.train_items
    if role != "trained" and not n_items:
        return None, []
    shown = role == "prompted"  # labelled examples: to look them up costs nothing beforehand
    spent = Amount(0.0) if shown else _machine_time(known.wall_s, known.hardware, table=table)
    if facts is None and not shown:
        spent = Amount(None, "not timed" if role == "baseline" else "the checkpoint has no training card")
    notes = [spent.note] if spent.note else []
    labels = None
    n_labels = None if n_items is None else n_items + (known.held_out or 0)
    if description.labels_from is not None:
        labels = None if teacher is None else _taught_usd(teacher, description.train_items)
        notes += [] if labels is not None else ["what the labels of its teacher cost is unknown"]
    elif table.labels_usd is not None and n_labels is not None:
        labels = table.labels_usd * n_labels
    elif table.labels_usd is not None and facts is not None:
        notes.append("how many items were labelled is not noted")
    training = Training(
        usd=spent.usd,
        labels_usd=labels,
        wall_s=known.wall_s,
        n_items=n_items,
        machine=machine_name(known.hardware),
        notes=tuple(notes),
    )
    of_labels = list(teacher.sources) if teacher is not None else [table.cited()] if labels is not None else []
    return training, [spent.source, *of_labels]


def _taught_usd(teacher: SystemCost, n_asked: int | None) -> float | None:
    """Return what a teacher's labels cost: its answers, and what it cost itself before the first of them."""
    if teacher.fixed_usd is None or teacher.usd_per_query is None or n_asked is None:
        return None
    return teacher.fixed_usd + teacher.usd_per_query * n_asked
