"""Plans a suite whole: reads the items, builds the systems, and finds every fault that can be found without asking.

A suite in, a `Plan` with its manifest out. Nothing has been written then, and no model asked.
"""

import subprocess
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from data.card import is_task
from data.common.errors import ConfigurationError
from data.common.hardware import hardware
from data.common.installation import checkout
from data.common.secrets import make_redactor
from data.registry import benchmark, fingerprint, repeatable
from data.types import Item
from eval.measures.prices import price_table
from eval.measures.stats import SEED
from eval.plan.baselines import baseline_entry
from eval.plan.build_system import build_system, with_said
from eval.plan.call_prices import check_prices, rate_of
from eval.plan.cascades import cascade_system, check_members
from eval.plan.context import Context, load_evaluated
from eval.plan.own_parts import OwnParts
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.plan.students import check_teachers, student_system
from eval.plan.system import System
from eval.plan.until_decided import check_until_decided
from eval.rundir.description import Machine
from eval.rundir.manifest import Evaluation, Manifest

# The packages whose versions can change an answer or a score.
_VERSIONED = (
    "faiss-cpu",
    "kiwipiepy",
    "langchain",
    "langchain-core",
    "langchain-openai",
    "numpy",
    "scikit-learn",
    "torch",
    "transformers",
    "tune-or-prompt",
)


class PlannedEvaluation(NamedTuple):
    """One benchmark's items and built systems, ready to be asked."""

    evaluation: Evaluation
    items: Sequence[Item]
    systems: Sequence[System]

    @property
    def in_turn(self) -> list[System]:
        """The systems in the order in which they are asked: students and cascades behind those that they need."""
        return sorted(self.systems, key=lambda one: (bool(one.members), bool(one.teacher)))


class Plan(NamedTuple):
    """A suite whose every item is read and every system built; nothing has been asked or written."""

    manifest: Manifest
    evaluations: Sequence[PlannedEvaluation]

    @property
    def parts(self) -> list[tuple[Evaluation, Sequence[Item], System]]:
        """Each system of each evaluation, in the order in which they are asked, with the items that it answers."""
        return [
            (entry.evaluation, entry.items[: one.limit], one) for entry in self.evaluations for one in entry.in_turn
        ]

    def system(self, name: str) -> System:
        """Return a system by its name."""
        return next(one for entry in self.evaluations for one in entry.systems if one.name == name)

    def pool_of(self, teacher: System) -> list[Item]:
        """Return the texts that a system labels for all its students, each once."""
        students = (one for entry in self.evaluations for one in entry.systems if one.teacher == teacher.name)
        return list({item.id: item for one in students for item in one.pool}.values())


def plan(
    suite: Suite,
    *,
    policy: CallPolicy = CallPolicy(),  # noqa: B008  # immutable
    own: OwnParts = OwnParts(),  # noqa: B008  # immutable
) -> Plan:
    """Read every item and build every system of a suite.

    Args:
        suite: What to run.
        policy: How calls will be made: with a limit on what they may cost, every price must be known.
        own: Items and systems that a script gives itself.

    Raises:
        ProjectError: Anything about the suite that a user must mend first.
    """
    suite = accompanied(_repeatable(suite))
    check_members(suite)
    check_teachers(suite)
    price_table()  # the reports need it: a fault in the user's own is not to be found once every answer is paid for
    if policy.max_cost_usd is not None:
        check_prices(suite)
    planned = []
    for spec in suite.evaluations:
        about = own.described(spec.benchmark) if own.items else benchmark(spec.benchmark, card=spec.card)
        pool = own.items or load_evaluated(spec)
        context = Context(about, spec, pool, seed=suite.seed, timeout_s=policy.call_timeout_s, own=own)
        systems = _systems(spec, context)
        if policy.max_cost_usd is not None:
            for system in systems:
                rate_of(system)
        items = pool[: spec.limit]
        _check_ids(items)
        more = {"largest_group": check_until_decided(suite, about.name, items, systems)} if suite.until_decided else {}
        evaluation = Evaluation(
            benchmark=about.name,
            split=context.split if spec.data is None or not spec.data.is_file() else spec.data.stem,
            data=str(spec.data) if spec.data else None,
            n_items=len(items),
            fingerprint=fingerprint(items),
            systems=tuple(system.name for system in systems),
            crossed=spec.crossed,
            **more,
        )
        planned.append(PlannedEvaluation(evaluation, items, systems))
    return Plan(_manifest(suite, planned), planned)


def _check_ids(items: Sequence[Item]) -> None:
    """Refuse an id that would be struck out of the journal: its record could not be found again."""
    redact = make_redactor()
    shown = next((redacted for item in items if (redacted := redact(item.id)) != item.id), None)
    if shown is not None:
        raise ConfigurationError(f"the item '{shown}' has a key or a password in its id, which no run writes down")


def _systems(spec: EvaluationSpec, context: Context) -> list[System]:
    """Build the systems of an evaluation, in its order; students are built of their teachers, cascades of all."""
    alone = [one for one in spec.systems if one.cascade is None and one.labels_from is None]
    built = {one.name: build_system(one, context) for one in alone}
    for one in (one for one in spec.systems if one.labels_from is not None):
        built[one.name] = with_said(student_system(one, context, built)._replace(limit=one.limit), one)
    for one in (one for one in spec.systems if one.cascade is not None):
        built[one.name] = with_said(cascade_system(one, context, built), one)
    return [built[one.name] for one in spec.systems]


def _repeatable(suite: Suite) -> Suite:
    """Return a suite whose data sets on the hub are named with their commits, so that the run can be repeated."""
    evaluations = [
        spec.model_copy(update={"benchmark": repeatable(spec.benchmark), "card": _repeatable_card(spec.card)})
        for spec in suite.evaluations
    ]
    return suite.model_copy(update={"evaluations": tuple(evaluations)})


def _repeatable_card(card: dict[str, Any]) -> dict[str, Any]:
    named = {side: card[side] for side in ("train", "test") if isinstance(card.get(side), str)}
    return {**card, **{side: repeatable(name) for side, name in named.items()}}


def accompanied(suite: Suite) -> Suite:
    """Return a suite in which an answer without learning and a cheap learner stand beside the systems of own tasks.

    Without them nobody sees whether a model is worth its price; whoever names them, or their names, gets no others.
    """
    taken = {system.name.casefold() for evaluation in suite.evaluations for system in evaluation.systems}
    evaluations = []
    for spec in suite.evaluations:
        beside = _companions(spec, taken) if is_task(spec.benchmark) else []
        taken |= {system.name.casefold() for system in beside}
        evaluations.append(spec.model_copy(update={"systems": (*beside, *spec.systems)}))
    return suite.model_copy(update={"evaluations": tuple(evaluations)})


def _companions(spec: EvaluationSpec, taken: Collection[str]) -> list[SystemSpec]:
    about = benchmark(spec.benchmark, card=spec.card)
    wanted = ["majority", "tfidf" if about.labels is not None else "lexical-overlap"]
    if spec.train_split is None and (spec.split or about.default_split) not in about.train_splits:
        wanted = [name for name in wanted if not baseline_entry(name).learns]  # there is nothing to learn from
    missing = [name for name in wanted if name not in {system.baseline for system in spec.systems}]
    beside = []
    for name in missing:  # several tasks of one suite have one each, under names of their own
        names = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
        free = next(one for one in names if one not in taken)
        beside.append(SystemSpec(name=free, baseline=name))
    return beside


def _manifest(suite: Suite, planned: Sequence[PlannedEvaluation]) -> Manifest:
    commit = _git("rev-parse", "HEAD")
    return Manifest(
        name=suite.name,
        suite=suite.model_dump(mode="json"),
        evaluations=tuple(entry.evaluation for entry in planned),
        systems={system.name: system.description for entry in planned for system in entry.systems},
        seed=suite.seed,
        bootstrap_seed=SEED,
        git_commit=commit,
        git_dirty=bool(_git("status", "--porcelain")) if commit else None,
        versions={"python": sys.version.split()[0]} | {name: v for name in _VERSIONED if (v := _version(name))},
        hardware=Machine(**hardware()),
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Ask git about the project's own checkout, or return None where there is none."""
    folder = checkout()
    if folder is None:  # what stands around an installed package is somebody else's
        return None
    try:
        done = subprocess.run(  # noqa: S603  # fixed arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
