"""What the cost model must know of how a checkpoint was trained: read from its card, whoever trained it and when."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.bounds import LONGEST_S
from data.common.errors import ConfigurationError, first_fault
from data.common.files import write_json
from data.common.hardware import hardware
from eval.rundir.description import Machine, TrainingFacts

FIT_FILE = "fit.json"


class _Part(BaseModel):
    """A part of a card, whose other fields are somebody else's."""

    model_config = ConfigDict(strict=True)


class _Hardware(_Part):
    cpu: str | None = None
    cpus: int | None = Field(default=None, ge=0, le=10**5)
    gpus: list[str] | None = None
    devices: int = Field(default=0, ge=0, le=10**5)  # 0: not noted
    machines: int = Field(default=1, ge=1, le=10**4)


class _Items(_Part):
    n: int | None = Field(default=None, ge=0, le=10**9)


class _Data(_Part):
    train: _Items = _Items()
    held_out: _Items = _Items()


class _Settings(_Part):
    extra: dict[str, Any] = Field(default_factory=dict)


class _Card(_Part):
    """What a card says of the cost; an older one need not say all of it."""

    wall_s: float | None = Field(default=None, ge=0, le=LONGEST_S)
    hardware: _Hardware | None = None
    data: _Data = _Data()
    settings: _Settings = _Settings()


def training_facts(checkpoint: Path) -> TrainingFacts | None:
    """Read the seconds, the machine and the number of labelled items from a checkpoint's card.

    Args:
        checkpoint: Its folder; of one from the hub, that of the cache.

    Returns:
        Each fact None where the card does not say it; None without a card.

    Raises:
        ConfigurationError: The card is damaged.
    """
    from finetune.card import CARD_FILE, read_card

    content = read_card(checkpoint)
    if content is None:
        return None
    try:
        card = _Card.model_validate(content)
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(
            f"{checkpoint / CARD_FILE}: '{fault.place}' = {str(fault.value)[:80]!r}: {fault.message}; "
            "train the checkpoint again or remove the file"
        ) from error
    hardware = (
        None if card.hardware is None else _worked_on(card.hardware, on_cpu=bool(card.settings.extra.get("use_cpu")))
    )
    return TrainingFacts(wall_s=card.wall_s, hardware=hardware, n=card.data.train.n, held_out=card.data.held_out.n)


def note_fit(folder: Path, *, seconds: float, n_items: int) -> None:
    """Write down what fitting a baseline took, in a system's folder of a run."""
    machine = hardware()
    worked_on = Machine(cpu=machine["cpu"], cpus=machine["cpus"], gpus=[])
    facts = TrainingFacts(wall_s=seconds, hardware=worked_on, n=n_items)
    write_json(folder / FIT_FILE, facts.as_json())


def fit_facts(folder: Path) -> TrainingFacts | None:
    """Read what fitting a baseline took; None where it was not noted, as in an older run.

    Raises:
        ConfigurationError: The file is damaged.
    """
    path = folder / FIT_FILE
    if not path.is_file():
        return None
    try:
        return TrainingFacts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_fault(error)}; remove the file") from error


def _worked_on(noted: _Hardware, *, on_cpu: bool) -> Machine:
    """Return what was kept busy, which need not be all of a machine, nor one machine alone.

    The card is written on one machine; where there were more, or more devices shared a batch than it has, the others
    were like it.
    """
    gpus = [] if on_cpu else noted.gpus or []
    if not gpus:
        return Machine(cpu=noted.cpu, cpus=noted.cpus and noted.cpus * noted.machines, gpus=[])
    busy = noted.devices or len(gpus) * noted.machines
    return Machine(cpu=noted.cpu, cpus=noted.cpus, gpus=(gpus * -(-busy // len(gpus)))[:busy])
