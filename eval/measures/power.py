"""What a benchmark of this size can show at all: said before a run is paid for, and again in its report.

The number of items and systems in, the smallest difference that a run would find and a sentence out. Nothing is read
from answers: before a run there are none.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from data.common.language import ENGLISH, Language
from data.types import Item
from eval.measures.stats import LEVEL

ASSUMED_DISCORDANCE = 0.3


def minimum_detectable_difference(
    n: int, *, discordance: float = ASSUMED_DISCORDANCE, power: float = 0.8, alpha: float = LEVEL
) -> float | None:
    """Return the smallest true difference in accuracy that n paired items show with this power.

    Args:
        n: Items that both systems answer, taken as independent.
        discordance: Assumed share of items that exactly one of the two systems gets right. More of it
            hides more: two similar systems disagree on fewer items than two unrelated ones.
        power: Chance to find the difference where it is there.
        alpha: Two-sided level of the test.

    Returns:
        Difference in accuracy between 0 and `discordance`; None where even a difference as large as
        `discordance` would not be found.

    Source:
        Connor 1987, Biometrics 43:207-211: sqrt(n) d = z_alpha sqrt(psi) + z_power sqrt(psi - d^2), solved for d.
    """
    if n <= 0 or not 0 < discordance <= 1:
        raise ValueError(f"{n} items with a discordance of {discordance} allow no statement")
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    # With s = z_alpha sqrt(psi): (n + z_power^2) d^2 - 2 s sqrt(n) d + s^2 - z_power^2 psi = 0, the larger root.
    s = z_alpha * math.sqrt(discordance)
    a, b, c = n + z_power**2, -2 * s * math.sqrt(n), s * s - z_power**2 * discordance
    if b * b < 4 * a * c:
        return None
    difference = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return difference if difference <= discordance else None


def brief_reach(benchmark: str, *, n_items: int, n_systems: int, say: Language = ENGLISH) -> str:
    """Say in one short line what `reach_sentence` says, for whoever waits; "" where there are no two systems."""
    if n_systems < 2 or n_items < 1:
        return ""
    smallest = minimum_detectable_difference(n_items)
    points = f"{100 * (ASSUMED_DISCORDANCE if smallest is None else smallest):.1f}"
    return say("{benchmark}: differences below {points} points are easily missed", benchmark=benchmark, points=points)


def reach_lines(evaluations: Sequence[tuple[str, Sequence[Item], int]], say: Language = ENGLISH) -> list[str]:
    """Say for each evaluation which differences it cannot show; nothing for one without two systems.

    Args:
        evaluations: (benchmark, items, number of systems).
        say: The language.
    """
    said = (
        (
            benchmark,
            reach_sentence(len(items), n_groups=len({item.group for item in items}), n_systems=n_systems, say=say),
        )
        for benchmark, items, n_systems in evaluations
    )
    return [f"{benchmark}: {sentence}" for benchmark, sentence in said if sentence]


def reach_sentence(n_items: int, *, n_groups: int, n_systems: int, say: Language = ENGLISH) -> str:
    """Say which differences so many items cannot show; "" where there are no two systems to compare.

    Args:
        n_items: Items that every system answers.
        n_groups: Groups of items that share context.
        n_systems: Systems that are compared in pairs.
        say: The language.
    """
    if n_systems < 2 or n_items < 1:
        return ""
    items = say.count(n_items, "{n} item", "{n} items")
    basis = _basis(n_items, shared=n_groups < n_items, n_systems=n_systems, say=say)
    smallest = minimum_detectable_difference(n_items)
    if smallest is None:
        return say(
            "With {items}, even a true difference of {assumed} percentage points would be missed more than one time in "
            "five ({basis}).",
            items=items,
            assumed=f"{100 * ASSUMED_DISCORDANCE:.0f}",
            basis=basis,
        )
    return say(
        "With {items}, a true difference below about {smallest} percentage points would be missed more than one time "
        "in five ({basis}).",
        items=items,
        smallest=f"{100 * smallest:.1f}",
        basis=basis,
    )


def _basis(n_items: int, *, shared: bool, n_systems: int, say: Language) -> str:
    """Say what the smallest difference assumes, and what it takes among many pairs."""
    assumed, n_pairs = f"{100 * ASSUMED_DISCORDANCE:.0f}", n_systems * (n_systems - 1) // 2
    # The items count as independent. A design effect 1 + (m - 1) ICC would need the correlation, within a passage, of
    # what one system gains on another: no one knows it before a run, and on the one pair of recorded exams it is nil
    # (-0.04), as what makes a passage hard is hard for both. So it is said what sharing usually does, and no more.
    parts = [
        say(
            "80% power at the 5% level, if two systems disagree on {assumed}% of the items, taken as independent",
            assumed=assumed,
        )
    ]
    if shared:
        parts.append(say("that they share context usually raises it"))
    if n_pairs > 1:
        # Holm tests the smallest p of all pairs at this level; a single difference among many has to pass it.
        strictest = minimum_detectable_difference(n_items, alpha=LEVEL / n_pairs)
        if strictest is None:
            bar = say("more than {points}", points=assumed)
        else:
            bar = say("about {points}", points=f"{100 * strictest:.1f}")
        alone = "to stand out alone among all {pairs} pairs, adjusted by Holm, it takes {bar}"
        parts.append(say(alone, pairs=n_pairs, bar=bar))
    return say("; ").join(parts)
