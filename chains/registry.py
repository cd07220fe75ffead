"""The chains by name: where each is made, and what it needs.

To add one: write a factory that returns a `Predictor`, and a line here.
"""

import inspect
from functools import partial
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args

from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, unknown_name

# What a chain's factory takes besides its settings; "passages" are those of the items, "seed" is the run's, "labels"
# are those that all items share, else None, and "meanings" what they mean, as a task's card says it.
Need = Literal["model", "retriever", "passages", "seed", "labels", "meanings"]
NAMED_NEEDS: tuple[Need, ...] = ("model", "retriever")  # the others come with the items and the run

# What a chain shows of an item beside its choices, from the least to the most: the retrieval ladder.
Rung = Literal["choices-only", "closed-book", "shuffled", "retrieved", "oracle"]
RUNGS: tuple[Rung, ...] = get_args(Rung)


class ChainEntry(NamedTuple):
    """What the command line and the suites know of a chain before it is built.

    Attributes:
        rung: Where it stands on the retrieval ladder; None for a chain that stands on none.
        several_calls: Whether it may ask its model several times for one item.
        example_prompt: The prompt where it is to show labelled examples.
    """

    factory: str  # "module:attr"
    benchmark: str
    needs: tuple[Need, ...]
    prompt: str
    summary: str
    rung: Rung | None = None
    several_calls: bool = False
    example_prompt: str = ""

    @property
    def named_needs(self) -> tuple[Need, ...]:
        """What the user names."""
        return tuple(need for need in self.needs if need in NAMED_NEEDS)


_kice = partial(ChainEntry, benchmark="kice", needs=("model",), prompt="kice/minimal")
_choose = partial(ChainEntry, benchmark="", needs=("model",), prompt="choose/minimal")
CHAINS: dict[str, ChainEntry] = {
    "kice-choices-only": _kice(
        "chains.kice:kice_choices_only", summary="the choices alone, without their question", rung="choices-only"
    ),
    "kice-closed-book": _kice(
        "chains.kice:kice_closed_book", summary="question and choices, no passage", rung="closed-book"
    ),
    "kice-shuffled": _kice(
        "chains.kice:kice_shuffled",
        needs=("model", "passages", "seed"),
        summary="another item's passage in the place of its own",
        rung="shuffled",
    ),
    "kice-rag": _kice(
        "chains.kice:kice_rag",
        needs=("model", "retriever"),
        summary="passages that a retriever finds",
        rung="retrieved",
    ),
    "kice-prompt": _kice("chains.kice:kice_prompt", summary="the item's own passage in the prompt", rung="oracle"),
    "kice-agent": _kice(
        "chains.agent:kice_agent",
        needs=("model", "retriever", "passages"),
        prompt="kice/agent",
        summary="a model that searches and reads passages itself",
        several_calls=True,
    ),
    "classify": ChainEntry(
        "chains.classify:classify",
        "",
        ("model", "meanings"),
        "classify/zero-shot",
        "texts of any names and the labels; with --examples, labelled texts that are most like it",
        example_prompt="classify/examples",
    ),
    "choose-choices-only": _choose(
        "chains.choose:choose_choices_only", summary="the choices alone, without their question", rung="choices-only"
    ),
    "choose-closed-book": _choose(
        "chains.choose:choose_closed_book", summary="question and choices, no passage", rung="closed-book"
    ),
    "choose-shuffled": _choose(
        "chains.choose:choose_shuffled",
        needs=("model", "passages", "seed"),
        summary="another item's passage in the place of its own",
        rung="shuffled",
    ),
    "choose-rag": _choose(
        "chains.choose:choose_rag",
        needs=("model", "retriever"),
        summary="question and choices with passages that a retriever finds",
        rung="retrieved",
    ),
    "choose": _choose(
        "chains.choose:choose", summary="a question with its choices, and its passage if it has one", rung="oracle"
    ),
    "mnli-zero-shot": ChainEntry(
        "chains.mnli:mnli_zero_shot", "mnli", ("model",), "mnli/zero-shot", "premise, hypothesis and label names"
    ),
}


def chain_entry(name: str) -> ChainEntry:
    """Look a chain up by name, or describe the user's own `module:attr` by its parameters.

    Raises:
        ConfigurationError: No chain has that name.
    """
    if name in CHAINS:
        return CHAINS[name]
    if ":" in name:
        factory = load_attribute(name, kind="chain")
        if not callable(factory):
            raise ConfigurationError(f"chain '{name}' is no factory: name a function that returns a predictor")
        parameters = inspect.signature(factory).parameters
        needs: tuple[Need, ...] = get_args(Need)
        default = parameters["prompt"].default if "prompt" in parameters else ""
        prompt = default if isinstance(default, str) else ""
        taken = tuple(need for need in needs if need in parameters)
        return ChainEntry(name, "", taken, prompt, "a chain of your own", several_calls=True, example_prompt=prompt)
    raise unknown_name("chain", name, CHAINS, "See: python -m eval list chains")


def chain_factory(name: str) -> Any:
    """Return the function that makes the chain's predictor."""
    return load_attribute(chain_entry(name).factory, kind="chain")


def parameters(name: str) -> frozenset[str]:
    """Return the names of all that a chain's factory declares: it is given nothing else."""
    return frozenset(inspect.signature(chain_factory(name)).parameters)


def prompt_variables(name: str) -> tuple[str, ...] | None:
    """Return the variables that a chain makes for its prompt: `VARIABLES` of its module; None where it says none.

    A prompt may name the items' own texts beside them.
    """
    module = import_module(chain_entry(name).factory.partition(":")[0])
    variables: tuple[str, ...] | None = getattr(module, "VARIABLES", None)
    return variables
