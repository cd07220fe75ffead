"""The options of `python -m eval run` that say how calls are made, and what they come to.

Nothing heavy is imported here: the command line's help needs it.
"""

import argparse
from typing import TYPE_CHECKING

from data.common.errors import ConfigurationError
from eval.plan.call_policy import ITEM_TIMEOUT_S

if TYPE_CHECKING:
    from eval.plan.call_policy import CallPolicy

_ABOVE_ZERO = ("rpm", "tpm", "timeout", "item_timeout", "max_cost")


def add_call_options(run: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `run`."""
    calls = run.add_argument_group("calls of models that are asked over a network")
    again = "make a call again so often after faults that pass (429, 5xx, a lost connection); default: 6"
    calls.add_argument("--retries", type=int, default=6, metavar="N", help=again)
    calls.add_argument("--rpm", type=int, metavar="N", help="requests a minute, at most")
    calls.add_argument("--tpm", type=int, metavar="N", help="tokens a minute, at most")
    calls.add_argument("--timeout", type=float, metavar="S", help="seconds for a call; default: 60, or 600 to think")
    longest = f"seconds for an item, retries included; default: {ITEM_TIMEOUT_S:g}"
    calls.add_argument("--item-timeout", type=float, default=ITEM_TIMEOUT_S, metavar="S", help=longest)
    kept = "take replies from the response cache, and keep them there: what was asked before costs nothing"
    calls.add_argument("--cache", action="store_true", help=kept)
    calls.add_argument("--cache-sampled", action="store_true", help="--cache, also for replies that are sampled")
    calls.add_argument("--max-cost", type=float, metavar="USD", help="stop before the run has cost more than this")


def read_policy(options: argparse.Namespace) -> "CallPolicy":
    """Return how calls are to be made.

    Raises:
        ConfigurationError: A value lets nothing run.
    """
    from eval.plan.call_policy import CallPolicy

    if options.retries < 0:
        raise ConfigurationError(f"--retries {options.retries} is below 0; give 0 or more")
    for name in _ABOVE_ZERO:
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigurationError(f"--{name.replace('_', '-')} {value:g} is no limit; give a number above 0")
    return CallPolicy(
        retries=options.retries,
        rpm=options.rpm,
        tpm=options.tpm,
        timeout_s=options.timeout,
        item_timeout_s=options.item_timeout,
        max_cost_usd=options.max_cost,
        cache="sampled" if options.cache_sampled else "greedy" if options.cache else "none",
    )
