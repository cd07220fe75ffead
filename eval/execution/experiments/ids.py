"""Names and ids in LangSmith that are functions of what they name: what is sent again is the same thing, not another.

Of a run's folder, dataset and items in; names and UUIDs out.
"""

from datetime import datetime
from hashlib import sha256
from uuid import UUID, uuid5

from data.common.parsing import JsonObject
from data.registry import fingerprint_line
from eval.rundir.manifest import Evaluation, Manifest


def item_fingerprint(item: JsonObject) -> str:
    """Return the SHA-256 (hex) of one item that was dumped as JSON."""
    return sha256(fingerprint_line(item)).hexdigest()


def example_id(dataset: UUID, fingerprint: str) -> UUID:
    """Return the id of an item in a dataset; an item that was changed is another example."""
    return uuid5(dataset, fingerprint)


def experiment_name(run_name: str, system: str, dataset: str, manifest: Manifest, evaluation: Evaluation) -> str:
    """Return the name of a system's experiment, which no other run has: LangSmith has one list of them all."""
    parts = (run_name, system, dataset, manifest.started_utc, str(manifest.seed), evaluation.fingerprint)
    return f"{run_name}-{system}-{sha256(chr(0).join(parts).encode()).hexdigest()[:8]}"


def run_id(experiment: UUID, item_id: str, started: datetime) -> UUID:
    """Return the id of the run that stands for an answer which was not traced.

    It is a UUID of version 7, which LangSmith asks for: the milliseconds of its beginning, and what is random in others
    is a hash here.
    """
    drawn = int.from_bytes(sha256(f"{experiment}/{item_id}".encode()).digest()[:10], "big")
    milliseconds = int(started.timestamp() * 1000)
    number = (milliseconds & (1 << 48) - 1) << 80 | drawn
    number = number & ~(0xF << 76) | 7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)


def feedback_id(run: UUID, key: str) -> UUID:
    """Return the id of one score of a run."""
    return uuid5(run, key)
