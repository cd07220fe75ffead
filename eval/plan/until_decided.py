"""What a run needs that ends as soon as its systems are decided: two systems at least, and a margin that can be met.

A suite's items and systems in; out come the size of the largest group, which the bets are relative to, or a refusal.
"""

from collections import Counter
from collections.abc import Sequence

from data.common.errors import ConfigurationError
from data.common.progress import log
from data.types import Item
from eval.measures.sequential import MARGIN, smallest_margin
from eval.plan.settings.specs import Suite
from eval.plan.system import System


def check_until_decided(suite: Suite, benchmark: str, items: Sequence[Item], systems: Sequence[System]) -> int:
    """Return how many items the largest group of an evaluation has.

    Raises:
        ConfigurationError: There are no two systems, one needs others to be whole first, or so few items can show none
            of them equal within the margin.
    """
    if cascades := [system.name for system in systems if system.members]:
        raise ConfigurationError(
            f"--until-decided asks all systems in step, and cascade '{cascades[0]}' is made when its members have "
            "answered everything; leave one of the two out"
        )
    if students := [system.name for system in systems if system.teacher]:
        raise ConfigurationError(
            f"--until-decided asks all systems in step, and '{students[0]}' is trained when its teacher has answered; "
            "leave one of the two out"
        )
    if len(systems) < 2:
        raise ConfigurationError(
            f"--until-decided stops once systems are told apart, and '{systems[0].name}' alone answers {benchmark}; "
            "name two or more in a suite, or leave it out"
        )
    sizes = Counter(item.group for item in items)
    smallest = 100 * smallest_margin(list(sizes.values()), n_systems=len(systems))
    margin = MARGIN if suite.margin is None else suite.margin
    if margin < smallest:
        shown = f"with {len(items):,} items of {benchmark}, not even systems that answer alike are shown to differ by "
        if suite.margin is not None:
            raise ConfigurationError(
                f"--margin {margin:g} is never met: {shown}less than {smallest:.2g} points; give a wider one or more "
                "items, or leave --margin out and the run ends early for differences alone"
            )
        log(f"{shown}less than {margin:g} points (--margin): the run ends early for differences alone")
    return max(sizes.values())
