"""Asking a provider for its batches again where a connection was lost, and saying in one line why it will not do."""

import random
import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from data.common.errors import ConfigurationError, ProjectError
from eval.execution.batch_api.providers import UncertainError
from eval.execution.faults import LONGEST_WAIT_S, describe, judge
from eval.plan.settings.call_policy import CallPolicy

Returned = TypeVar("Returned")


def persistently(action: Callable[[], Returned], policy: CallPolicy, *, doing: str, remedy: str) -> Returned:
    """Do something at a provider, again after each fault that passes.

    Args:
        action: What is done; it may be done twice without harm.
        policy: How often, and how long to wait in between.
        doing: What it is, for the message, such as "sending a batch".
        remedy: What the user can do where it fails.

    Raises:
        ConfigurationError: It failed for good.
        UncertainError: As `action` does.
    """
    for faults in count(1):
        try:
            return action()
        except (UncertainError, ProjectError):
            raise
        except Exception as error:  # whatever the client of a provider raises
            if judge(error) != "again" or faults > policy.retries:
                raise ConfigurationError(f"stopped: {doing} failed: {describe(error)}; {remedy}") from error
        longest = min(policy.first_wait_s * 2.0 ** (faults - 1), LONGEST_WAIT_S)
        time.sleep(random.uniform(longest / 2, longest))  # noqa: S311  # no secret
    raise AssertionError
