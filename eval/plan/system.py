"""What a configured predictor of a run is, whichever kind it is of: the parts that planning hands to the execution."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from data.registry import fingerprint
from data.types import Item
from eval.plan.chain_predictor import Predictor
from eval.rundir.description import SystemDescription

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LOCAL_BATCH = 64  # items handed to a local model, classifier or baseline at once


class RemoteModel(NamedTuple):
    """The model of a chain that is asked over a network: a run may keep its replies, and replay them.

    Attributes:
        predictor_with: Returns the chain's predictor with another model in its place.
    """

    model: "BaseChatModel"
    predictor_with: "Callable[[BaseChatModel], Predictor]"


class System(NamedTuple):
    """A configured predictor of a run.

    Attributes:
        description: What the manifest says of it: everything that can change its answers.
        batch_size: Items to hand over at once, where that is faster; None: one at a time, concurrently.
        open: Returns the predictor; takes the system's folder in the run, where training leaves its checkpoint.
        labels: The class names of a classifier whose order of them is to be checked; None: nothing to check.
        reply_tokens: The longest reply of a model that is asked over a network; None: nothing limits it.
        several_calls: Whether an item may take several calls of its model.
        remote: Its model, if that is asked over a network.
        limit: How many of the items it answers, from the first; None: all.
        members: The systems that a cascade is made of; empty for any other, which is asked itself.
        teacher: The system that labels what this one learns from; "" where nobody does.
        pool: The texts that the teacher is asked for it, before it is opened.
    """

    name: str
    description: SystemDescription
    batch_size: int | None
    open: Callable[[Path], Predictor]
    labels: tuple[str, ...] | None = None
    reply_tokens: int | None = None
    several_calls: bool = False
    remote: RemoteModel | None = None
    limit: int | None = None
    members: tuple[str, ...] = ()
    teacher: str = ""
    pool: tuple[Item, ...] = ()


def learnt_from(train_items: Sequence[Item]) -> dict[str, Any]:
    """Return what a description says of the items that a system learns from; nothing where there are none."""
    return {"train_items": len(train_items), "train_fingerprint": fingerprint(train_items)} if train_items else {}
