"""What the cost model reads out of a system's description, as a manifest has it: what it is, and what it ran on.

A description in, a role, a place or a machine out. It is the one place that knows which kinds of system are trained.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from data.bounds import LONGEST_S
from data.common.errors import first_fault

Role = Literal["trained", "prompted", "baseline"]
# Any other is a baseline. What is imported are texts that a model wrote, and a script's own object most often asks one.
ROLES: dict[str, Role] = {
    "checkpoint": "trained",
    "finetune": "trained",
    "chain": "prompted",
    "runnable": "prompted",
    "imported": "prompted",
}
_OPENAI_HOST = "api.openai.com"
TRAINED_KINDS = tuple(kind for kind, role in ROLES.items() if role == "trained")


_Count = Annotated[int, Field(ge=0, le=10**9)]


class _Said(BaseModel):
    """What is read of a part of a manifest; all else in it is only compared."""

    model_config = ConfigDict(strict=True)


class _Machine(_Said):
    cpu: str | None = None
    cpus: _Count | None = None
    gpus: list[str] | None = None


class _Training(_Said):
    wall_s: float | None = Field(default=None, ge=0, le=LONGEST_S)
    hardware: _Machine | None = None
    n: _Count | None = None
    held_out: _Count | None = None


class _ChatModel(_Said):
    spec: str | None = None
    device: str | None = None
    max_tokens: _Count | None = None


class _Retriever(_Said):
    name: str | None = None
    embeddings: str | None = None
    k: _Count | None = None


class _Description(_Said):
    kind: str = ""
    chain: str | None = None
    baseline: str | None = None
    checkpoint: str | None = None
    finetune: dict[str, Any] | None = None
    prompt: str | None = None
    answer_form: Literal["number", "choice", "label"] | None = None
    permute: Literal["cyclic"] | None = None
    votes: _Count | None = None
    model: _ChatModel | str | None = None
    retriever: _Retriever | None = None
    training: _Training | None = None
    train_items: _Count | None = None
    note: str | None = None


def _checked(kind: type[BaseModel]) -> AfterValidator:
    def check(said: dict[str, Any]) -> dict[str, Any]:
        try:
            kind.model_validate(said)
        except ValidationError as error:
            raise ValueError(str(first_fault(error))) from None
        return said

    return AfterValidator(check)


# As a manifest has them: objects of which a part is read here, and by whoever makes something of a run.
Description = Annotated[dict[str, Any], _checked(_Description)]
Machine = Annotated[dict[str, Any], _checked(_Machine)]


def role_of(description: Mapping[str, Any]) -> Role:
    """Say whether a system is trained, prompted or a yardstick, out of its description."""
    return ROLES.get(str(description.get("kind")), "baseline")


def is_api(description: Mapping[str, Any]) -> bool:
    """Say whether a model answers that runs elsewhere: only a model that runs here is described with its device."""
    model = description.get("model")
    return model_spec(description) is not None and not (isinstance(model, Mapping) and "device" in model)


def place_of(description: Mapping[str, Any]) -> str:
    """Name where a model answers that runs elsewhere; "" for what runs here."""
    if not is_api(description):
        return ""
    return "endpoint" if str(model_spec(description)).startswith("endpoint:") else "API"


def model_spec(description: Mapping[str, Any]) -> str | None:
    """Return the model spec out of a system's description, None for a system without a model."""
    model = description.get("model")
    spec = model.get("spec") if isinstance(model, Mapping) else model
    return str(spec) if spec else None


def reply_limit_of(description: Mapping[str, Any]) -> int | None:
    """Return the most tokens that a system's model was told to write; None where nothing says so."""
    model = description.get("model")
    limit = model.get("max_tokens") if isinstance(model, Mapping) else None
    return limit if isinstance(limit, int) else None


def priced_as(description: Mapping[str, Any]) -> str | None:
    """Return what the price table calls a system's model, None for a system without one.

    That is its spec; where an address was given in the place of OpenAI's, "openai:NAME@ADDRESS": who answers there, and
    for how much, its name does not say.
    """
    spec, model = model_spec(description), description.get("model")
    address = model.get("base_url") if isinstance(model, Mapping) else None
    return spec if spec is None else priced_name(spec, address)


def priced_name(spec: str, address: str | None) -> str:
    """Return what the price table calls the model of a spec that is asked at an address; None: the provider's own."""
    host = str(urlsplit(address or "").hostname or "")
    elsewhere = host and host != _OPENAI_HOST and not host.endswith(f".{_OPENAI_HOST}")
    return f"{spec}@{address}" if elsewhere and spec.startswith("openai:") else spec


def machine_name(hardware: Mapping[str, Any] | None) -> str:
    """Write a machine as what it is priced by, such as "2 × AMD EPYC"; "" where it is unknown."""
    if not hardware:
        return ""
    gpus = hardware.get("gpus") or []
    if gpus:
        return ", ".join(f"{gpus.count(name)} × {name}" for name in dict.fromkeys(gpus))
    return f"{hardware.get('cpus') or 'unknown'} × {hardware.get('cpu') or 'unknown CPU'}"


def used_hardware(
    description: Mapping[str, Any], hardware: Mapping[str, Any] | None, *, role: Role
) -> Mapping[str, Any] | None:
    """Return the machine with the GPUs that a system used, one or none: the others can be left unrented."""
    if not hardware:
        return hardware
    model = description.get("model")
    device = str(model.get("device", "")) if isinstance(model, Mapping) else ""
    if role == "baseline" or device.startswith("cpu"):
        return {**hardware, "gpus": []}
    number = device.partition(":")[2]  # of "cuda:1"; a classifier takes the first
    first = int(number) if number.isdecimal() else 0
    gpus = hardware.get("gpus") or []
    return {**hardware, "gpus": gpus[first : first + 1] or gpus[:1]}


def unpriced_retrieval(description: Mapping[str, Any]) -> str:
    """Say why what it costs to look something up is unknown; "" where that is done on the machine, or not at all."""
    retriever = description.get("retriever")
    if not isinstance(retriever, Mapping):
        return ""
    embeddings = str(retriever.get("embeddings") or "")
    if embeddings.startswith("openai:"):
        return f"what the embeddings {embeddings} of a query cost is not known"
    if ":" in embeddings and not embeddings.startswith("hf:"):
        return "what embeddings of your own call is not known"
    # A step's local model is on the machine: "hybrid+rerank=hf:DIR"; any other "module:attr" is the user's own.
    own = any(":" in part for part in str(retriever.get("name")).replace("=hf:", "=").split("+"))
    return "what a retriever of your own calls is not known" if own else ""
