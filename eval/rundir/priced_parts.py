"""What the price of a system's answers depends on: where its model answers, under which name, and on which machine.

A `SystemDescription` and a `Machine` in, names and a smaller machine out. The prices are in `eval.measures.prices`.
"""

from urllib.parse import urlsplit

from eval.rundir.description import Machine, Role, SystemDescription, model_spec

_OPENAI_HOST = "api.openai.com"


def is_api(description: SystemDescription) -> bool:
    """Say whether a model answers that runs elsewhere: only a model that runs here is described with its device."""
    model = description.model
    return model is not None and bool(model.spec) and "device" not in model.model_fields_set


def place_of(description: SystemDescription) -> str:
    """Name where a model answers that runs elsewhere; "" for what runs here."""
    if not is_api(description):
        return ""
    return "endpoint" if str(model_spec(description)).startswith("endpoint:") else "API"


def priced_as(description: SystemDescription) -> str | None:
    """Return what the price table calls a system's model, None for a system without one.

    That is its spec; where an address was given in the place of OpenAI's, "openai:NAME@ADDRESS": who answers there, and
    for how much, its name does not say.
    """
    spec, model = model_spec(description), description.model
    return None if spec is None or model is None else priced_name(spec, model.base_url)


def priced_name(spec: str, address: str | None) -> str:
    """Return what the price table calls the model of a spec that is asked at an address; None: the provider's own."""
    host = str(urlsplit(address or "").hostname or "")
    elsewhere = host and host != _OPENAI_HOST and not host.endswith(f".{_OPENAI_HOST}")
    return f"{spec}@{address}" if elsewhere and spec.startswith("openai:") else spec


def machine_name(machine: Machine | None) -> str:
    """Write a machine as what it is priced by, such as "2 × AMD EPYC"; "" where it is unknown."""
    if machine is None or not machine.is_known:
        return ""
    gpus = machine.gpus or []
    if gpus:
        return ", ".join(f"{gpus.count(name)} × {name}" for name in dict.fromkeys(gpus))
    return f"{machine.cpus or 'unknown'} × {machine.cpu or 'unknown CPU'}"


def used_hardware(description: SystemDescription, machine: Machine | None, *, role: Role) -> Machine | None:
    """Return the machine with the GPUs that a system used, one or none: the others can be left unrented.

    Args:
        description: What the system is; its own machine counts where it names one.
        machine: The run's.
        role: The system's.
    """
    machine = description.hardware or machine
    if machine is None or not machine.is_known:
        return None
    device = (description.model.device if description.model else None) or ""
    if role == "baseline" or device.startswith("cpu"):
        return machine.model_copy(update={"gpus": []})
    number = device.partition(":")[2]  # of "cuda:1"; a classifier takes the first
    first = int(number) if number.isdecimal() else 0
    gpus = machine.gpus or []
    return machine.model_copy(update={"gpus": gpus[first : first + 1] or gpus[:1]})


def unpriced_retrieval(description: SystemDescription) -> str:
    """Say why what it costs to look something up is unknown; "" where that is done on the machine, or not at all."""
    retriever = description.retriever
    embeddings = (retriever or description.examples or description).embeddings or ""
    if embeddings.startswith("openai:"):
        return f"what the embeddings {embeddings} of a query cost is not known"
    if ":" in embeddings and not embeddings.startswith("hf:"):
        return "what embeddings of your own call is not known"
    # A step's local model is on the machine: "hybrid+rerank=hf:DIR"; any other "module:attr" is the user's own.
    own = retriever is not None and any(":" in part for part in str(retriever.name).replace("=hf:", "=").split("+"))
    return "what a retriever of your own calls is not known" if own else ""
