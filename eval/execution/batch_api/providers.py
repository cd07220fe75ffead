"""What a provider's batch API can be asked, and which system has one.

Each provider is a module with a class of this form and a row of `_PROVIDERS`. Its methods make one request or a few,
and raise what the provider's SDK raises; whoever calls them asks again (`eval.execution.batch_api.persistence`).
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from chains.models.specs import resolve_spec
from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from eval.execution.batch_api.requests import Request, sdk_client
from eval.plan.system import System
from eval.rundir.description import model_spec


class Answer(NamedTuple):
    """What came of one request of a batch.

    Attributes:
        id: The request's `custom_id`.
        status: The HTTP status that a single call would have been answered with.
        body: What it would have been answered.
    """

    id: str
    status: int
    body: JsonObject


class Batch(NamedTuple):
    """How a batch stands.

    Attributes:
        state: In the provider's words.
        ended: Nothing more will be answered.
        done: Requests that have been worked on.
        fault: Why the provider refused it whole; "" where it did not.
        answers: What the provider says of the answers: how many there are and where.
    """

    id: str
    state: str
    ended: bool
    done: int
    fault: str
    answers: Any


class IncompleteReadError(Exception):
    """The answers of a batch were cut short: there are fewer than the provider counts."""


class BatchProvider(Protocol):
    """A provider's batch API.

    Attributes:
        most_requests: In a batch.
        most_bytes: Of a batch's file.
    """

    most_requests: int
    most_bytes: int

    def line(self, request: Request, name: str) -> JsonObject:
        """Return a request as a batch holds it, under a name of its own."""

    def upload(self, path: Path) -> str:
        """Upload a file of requests where that is a step of its own, and return what it is called there."""

    def begin(self, uploaded: str, path: Path, mark: str) -> str:
        """Begin a batch of the requests of a file, and return its id.

        Args:
            uploaded: What `upload` returned.
            path: A request a line.
            mark: By which the batch can be found, where its id is lost.
        """

    def find(self, mark: str, names: Sequence[str], since: float) -> str | None:
        """Return the id of a batch that may have been begun; None where there is none.

        Args:
            mark: What it was sent with.
            names: The names of its requests.
            since: When it was sent at the earliest, in seconds since 1970 by this machine's clock.

        Raises:
            UncertainError: One that still goes on may be it.
        """

    def look(self, batch_id: str) -> Batch:
        """Return how a batch stands."""

    def answers(self, batch: Batch) -> list[Answer]:
        """Return what came of the requests of a batch that has ended; nothing of those that were not worked on.

        Raises:
            IncompleteReadError: There are fewer than the provider counts.
        """

    def cancel(self, batch_id: str) -> None:
        """Have a batch end early."""


class UncertainError(Exception):
    """Whether a batch was begun cannot be told before another one has ended."""


# By the kind of a model's spec: where its provider's class is.
_PROVIDERS = {
    "openai": "openai_batches:OpenAIBatches",
    "endpoint": "openai_batches:OpenAIBatches",
    "anthropic": "anthropic_batches:AnthropicBatches",
}
_LEFT_OUT = "leave --batch-api out"


def asks_over_network(system: System) -> bool:
    """Say whether a system asks a model at all that does not run here."""
    return system.batch_size is None and not system.members


def check_batchable(system: System) -> None:
    """Refuse a system whose calls cannot be put into a batch.

    Raises:
        ConfigurationError: See above.
    """
    who, about = f"--batch-api: '{system.name}'", system.description
    if system.teacher:
        raise ConfigurationError(f"{who} learns what another system answers, which must be there first; {_LEFT_OUT}")
    if about.kind == "chain" and about.model is not None and system.batch_size is not None:
        raise ConfigurationError(f"{who} asks a model that runs here, which costs nothing a call; {_LEFT_OUT}")
    if not asks_over_network(system):
        return
    if about.permute or about.votes:
        named = "--permute" if about.permute else "--votes"
        raise ConfigurationError(f"{who} asks several times for an item ({named}); a batch takes single calls")
    if system.remote is None or system.several_calls:
        raise ConfigurationError(
            f"{who} is a chain that may call its model several times, or by itself; a batch takes single calls: "
            f"{_LEFT_OUT}"
        )
    if _kind_of(system) not in _PROVIDERS or sdk_client(system.remote.model) is None:
        raise ConfigurationError(
            f"{who}: no batch API of {model_spec(about)} is known; models with one are openai:NAME, anthropic:NAME and "
            f"endpoint:NAME@URL; {_LEFT_OUT}"
        )


def provider_of(system: System) -> BatchProvider:
    """Return the batch API of a system that can be put into batches."""
    if system.remote is None:
        raise ValueError(f"{system.name} asks no model over a network")
    module, _, name = _PROVIDERS[_kind_of(system)].partition(":")
    made: BatchProvider = getattr(import_module(f"eval.execution.batch_api.{module}"), name)(
        sdk_client(system.remote.model)
    )
    return made


def _kind_of(system: System) -> str:
    return resolve_spec(str(model_spec(system.description))).partition(":")[0]
