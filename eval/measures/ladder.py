"""The retrieval ladder: what the same reader scores as it is shown more, from the choices alone to the own passage.

A run's answers and the descriptions of its systems in; for each reader its rungs in order, and what share of the gap
between no passage and the own passage each way of finding passages closes. A reader is a model with its prompt and
its way of answering: systems that differ in nothing but in what they are shown.
"""

import json
from collections.abc import Mapping

import numpy as np

from chains.registry import CHAINS, RUNGS, Rung
from data.types import Frozen
from eval.measures.answers import Answers, on_common_items
from eval.measures.resampling import Groups
from eval.measures.stats import FEW_CLUSTERS, Interval, bootstrap_interval, paired_difference_interval
from eval.rundir.description import SystemDescription, model_spec

# What of a system's description says what it is shown, and not who reads it.
SHOWN = frozenset({"chain", "rung", "retriever", "pool_fingerprint", "too_long", "note"})
COMPARED: tuple[Rung, ...] = ("shuffled", "retrieved")  # rungs between no passage and the own one


class Step(Frozen):
    """A system and the rung that it stands on; `k` is how many chunks it retrieves, None where it retrieves none."""

    rung: Rung
    system: str
    k: int | None = None


class Gap(Frozen):
    """What a system recovers of the gap between closed book and oracle, on the items that all three answered.

    Attributes:
        tag: The tag of the items, such as a section; "" for all items.
        closed: Accuracy without a passage.
        reached: Accuracy of the system.
        oracle: Accuracy with the item's own passage.
        recovered: (reached - closed) / (oracle - closed): 0 is no better than no passage, 1 as good as the own one.
            None where the items do not show a gap, for a share of what may be nothing says nothing: the 95 % interval
            of the oracle's lead is not above 0.
        interval: 95 %, by the paired cluster bootstrap; None where all resamples give the same, and below FEW_CLUSTERS
            passages, of which too few different resamples exist for their percentiles to hold the truth.
    """

    system: str
    tag: str
    n: int
    closed: float
    reached: float
    oracle: float
    recovered: float | None
    interval: Interval | None

    @property
    def exists(self) -> bool:
        """Whether the oracle is right more often than closed book at all."""
        return self.oracle > self.closed


class Ladder(Frozen):
    """One reader's rungs, from the least that it is shown to the most, and the gaps of those in between.

    Attributes:
        model: Its spec; "" for a reader that is no model.
        prompt: Its id; "" for a reader without one.
    """

    model: str
    prompt: str
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]

    def on(self, rung: Rung) -> str | None:
        """Return the first system on a rung."""
        return next((step.system for step in self.steps if step.rung == rung), None)


def rung_of(description: SystemDescription) -> Rung | None:
    """Return where a system stands: as its suite or its chain's row says, else with a retriever among the retrieved."""
    entry = CHAINS.get(str(description.chain))
    declared = description.rung or (entry.rung if entry else None)
    found = next((rung for rung in RUNGS if rung == declared), None)
    return found or ("retrieved" if description.retriever else None)


def oracle_of(system: str, descriptions: Mapping[str, SystemDescription]) -> str | None:
    """Return the system that shows the same reader each item's own passage; None where the run has none.

    The same model under another prompt is another reader. So an agent, whose prompt tells it to search, has no oracle
    in `kice-prompt`: where that one is right, the prompt may have made the difference, and not the passage.
    """
    reader = _reader(descriptions[system])
    oracles = (name for name, about in descriptions.items() if rung_of(about) == "oracle" and _reader(about) == reader)
    return next(oracles, None)


def climb(answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]) -> list[Ladder]:
    """Return the ladder of each reader that stands on two rungs or more.

    Args:
        answers: The answers, by the system's name, all of one evaluation.
        descriptions: What each of these systems is, as the manifest says it.
    """
    readers: dict[str, list[Step]] = {}
    for name in answers:
        about = descriptions[name]
        rung = rung_of(about)
        if rung is not None:
            step = Step(rung=rung, system=name, k=about.retriever.k if about.retriever else None)
            readers.setdefault(_reader(about), []).append(step)
    ladders = []
    for steps in readers.values():
        if len({step.rung for step in steps}) < 2:
            continue
        ordered = tuple(sorted(steps, key=lambda step: (RUNGS.index(step.rung), step.k or 0)))
        about = descriptions[ordered[0].system]
        model, prompt = model_spec(about) or "", about.prompt or ""
        ladder = Ladder(model=model, prompt=prompt, steps=ordered, gaps=())
        ladders.append(ladder.model_copy(update={"gaps": tuple(_gaps(ladder, answers))}))
    return ladders


def gap_recovered(
    closed: np.ndarray,
    reached: np.ndarray,
    oracle: np.ndarray,
    groups: Groups,
    *,
    system: str = "",
    tag: str = "",
) -> Gap:
    """Measure how much of the gap between closed book and oracle a system recovers.

    Args:
        closed: (n,) bool, right without a passage.
        reached: (n,) bool, right with what the system shows.
        oracle: (n,) bool, right with the own passage.
        groups: (n,) the cluster of each item.
        system: Its name.
        tag: What the items have in common; "" for all items of an evaluation.

    Raises:
        ValueError: There is no item.
    """
    gained, lead = reached.astype(float) - closed, oracle.astype(float) - closed
    leads = paired_difference_interval(lead, np.ones(len(lead)), groups)
    shown = leads is not None and leads.low > 0
    return Gap(
        system=system,
        tag=tag,
        n=len(closed),
        closed=float(closed.mean()),
        reached=float(reached.mean()),
        oracle=float(oracle.mean()),
        recovered=round(float(gained.sum() / lead.sum()), 6) if shown else None,
        interval=_interval(gained, lead, groups) if shown else None,
    )


def _interval(gained: np.ndarray, lead: np.ndarray, groups: Groups) -> Interval | None:
    """Return the interval of sum(gained) / sum(lead), where there are clusters enough to resample."""
    if len(np.unique(groups)) < FEW_CLUSTERS:
        return None
    columns = np.stack([gained, lead], axis=1)  # (n, 2)

    def share(weights: np.ndarray) -> np.ndarray:
        reached_part, whole = (weights @ columns).T  # each (rows,)
        return np.where(whole > 0, reached_part / np.where(whole > 0, whole, 1), np.nan)

    return bootstrap_interval(share, groups)


def _gaps(ladder: Ladder, answers: Mapping[str, Answers]) -> list[Gap]:
    closed, oracle = ladder.on("closed-book"), ladder.on("oracle")
    if closed is None or oracle is None:
        return []
    found = []
    for step in ladder.steps:
        if step.rung not in COMPARED:
            continue
        three = [answers[name].predictions for name in (closed, step.system, oracle)]
        none, some, own = on_common_items(three)
        if not len(some):
            continue
        for tag, kept in {"": np.ones(len(some), dtype=bool), **some.rows_by_tag}.items():
            closed_right, reached_right, oracle_right = (one.correct[kept] for one in (none, some, own))
            groups = some.groups[kept]
            found.append(gap_recovered(closed_right, reached_right, oracle_right, groups, system=step.system, tag=tag))
    return found


def _reader(description: SystemDescription) -> str:
    reading = {key: value for key, value in description.as_json().items() if key not in SHOWN}
    return json.dumps(reading, sort_keys=True, ensure_ascii=False)
