"""Plans one shard of a run: a part of the items, whole groups of them, that a machine asks without the others.

A plan of the whole run and the shard's number in, the shard's plan out. The seed says which groups it holds; systems
learn from, retrieve among and are shown examples of the same items as in the whole run.
"""

import random
from collections.abc import Sequence
from heapq import heapify, heapreplace

from data.common.errors import ConfigurationError
from data.registry import fingerprint
from data.types import Item
from eval.plan.planning import Plan, PlannedEvaluation
from eval.plan.settings.specs import Suite, SystemSpec
from eval.rundir.shard import Shard, ShardNumber, WholeEvaluation, as_ranges


def check_shardable(suite: Suite) -> None:
    """Refuse what needs the answers to all items at once, or would be made anew for each shard.

    Raises:
        ConfigurationError: Something in the suite does.
    """
    if suite.until_decided:
        raise ConfigurationError(
            "--shard goes without --until-decided: when a run may end is decided over the answers of all shards"
        )
    for spec in suite.evaluations:
        for system in spec.systems:
            if reason := _reason_against(system):
                raise ConfigurationError(f"system '{system.name}' does not go with --shard: {reason}")


def _reason_against(system: SystemSpec) -> str:
    """Say why a system cannot answer a shard alone; "" where it can."""
    if system.cascade is not None:
        return "a cascade's thresholds are chosen over all items; leave it out, the merged run's report draws cascades"
    if system.labels_from is not None:
        return "its teacher would label the same texts in each shard; train it first, and name the checkpoint"
    if system.finetune is not None:
        return "it would be trained in each shard; train it first, and name the checkpoint"
    if system.limit is not None:
        return "it answers only the first items; leave its limit out"
    return ""


def shard_of(whole: Plan, shard: ShardNumber) -> Plan:
    """Return the plan of one shard.

    Raises:
        ConfigurationError: An evaluation has fewer groups than there are shards.
    """
    evaluations, about = [], []
    for planned in whole.evaluations:
        places = places_of(planned.items, shard, seed=whole.manifest.seed, benchmark=planned.evaluation.benchmark)
        items = [planned.items[place] for place in places]
        about.append(
            WholeEvaluation(
                n_items=len(planned.items), fingerprint=planned.evaluation.fingerprint, places=as_ranges(places)
            )
        )
        own = planned.evaluation.model_copy(update={"n_items": len(items), "fingerprint": fingerprint(items)})
        evaluations.append(PlannedEvaluation(own, items, planned.systems))
    manifest = whole.manifest.model_copy(
        update={
            "evaluations": tuple(planned.evaluation for planned in evaluations),
            "shard": Shard(number=shard.number, of=shard.of, evaluations=tuple(about)),
        }
    )
    return Plan(manifest, evaluations)


def places_of(items: Sequence[Item], shard: ShardNumber, *, seed: int, benchmark: str) -> list[int]:
    """Return the places of a shard's items, ascending.

    The groups, in a drawn order, go each to the shard that has the fewest items by then.

    Raises:
        ConfigurationError: There are fewer groups than shards.
    """
    groups: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        groups.setdefault(item.group, []).append(place)
    if len(groups) < shard.of:
        raise ConfigurationError(
            f"--shard {shard}: {benchmark} has {len(groups):,} groups of items, and a group is asked whole; give "
            f"{len(groups):,} shards or fewer"
        )
    order = list(groups)
    random.Random(seed).shuffle(order)  # noqa: S311  # no secret
    fewest = [(0, number) for number in range(1, shard.of + 1)]
    heapify(fewest)
    found: list[int] = []
    for name in order:
        n_items, number = fewest[0]
        heapreplace(fewest, (n_items + len(groups[name]), number))
        if number == shard.number:
            found += groups[name]
    return sorted(found)
