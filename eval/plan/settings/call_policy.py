"""How a run's calls are to be made: the limits that its user sets, decided before anything is asked."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from data.common.errors import ConfigurationError

# Beyond it an item is given up: a server that sends a byte now and then is never late for a client, whose limits are on
# the time between two bytes.
ITEM_TIMEOUT_S = 1800.0
RETRIES = 6


class CallPolicy(NamedTuple):
    """How a run's calls are made; None: no limit.

    Attributes:
        retries: How often a call is made again after passing faults in a row.
        rpm: Requests a minute.
        tpm: Tokens a minute, of prompts and replies.
        timeout_s: Seconds until a call must have been answered; None: as the model has it.
        item_timeout_s: Seconds that an item may take, retries included; waits for the run's own limits are not.
        max_cost_usd: What the run may cost.
        cache: Whose replies are taken from the response cache and kept there: of no model, of those that decode
            greedily, or of those that sample too.
        batch_api: Models over a network are asked by their provider's batches.
        wait: The run waits for batches; else it ends, and is resumed later.
        then: How what a batch has not answered is asked: in another batch, or live.
        first_wait_s: The longest wait before the first retry; it doubles with each.
    """

    retries: int = RETRIES
    rpm: int | None = None
    tpm: int | None = None
    timeout_s: float | None = None
    item_timeout_s: float = ITEM_TIMEOUT_S
    max_cost_usd: float | None = None
    cache: Literal["none", "greedy", "sampled"] = "none"
    batch_api: bool = False
    wait: bool = False
    then: Literal["batch", "live"] = "batch"
    first_wait_s: float = 1.0

    @property
    def call_timeout_s(self) -> float | None:
        """Seconds after which a model's own client is to give a call up; None: as the model has it."""
        from chains.models.providers import THINKING_TIMEOUT_S

        if self.timeout_s is None and self.item_timeout_s >= THINKING_TIMEOUT_S:  # no model's own is longer
            return None
        return min(self.timeout_s or THINKING_TIMEOUT_S, self.item_timeout_s)


_ABOVE_ZERO = ("rpm", "tpm", "timeout_s", "item_timeout_s", "max_cost_usd")


def check_policy(policy: CallPolicy, *, flags: Mapping[str, str] | None = None) -> None:
    """Refuse limits under which nothing could run.

    Args:
        policy: The policy that is checked.
        flags: What the user calls each field; None: by its name.

    Raises:
        ConfigurationError: A value is out of range.
    """
    spelt = flags or {name: name for name in policy._fields}
    if policy.retries < 0:
        raise ConfigurationError(f"{spelt['retries']} {policy.retries} is below 0; give 0 or more")
    for name in _ABOVE_ZERO:
        value = getattr(policy, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigurationError(f"{spelt[name]} {value:g} is no limit; give a number above 0")
