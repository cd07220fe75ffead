"""Says, once for a system, that a provider returned no probabilities where they were asked for.

Records in, the same records out. The answers stand: a reply without probabilities is still a reply.
"""

from collections.abc import Iterator

from data.common.progress import log
from data.types import Record
from eval.rundir.description import SystemDescription


def note_missing_probs(records: Iterator[Record], description: SystemDescription) -> Iterator[Record]:
    """Yield a system's records as they come, and write one line to standard error for the first without probabilities.

    Args:
        records: Of one system.
        description: As the manifest has it.
    """
    expected = description.answering == "logprobs"
    for record in records:
        answer = record.prediction
        if expected and answer is not None and answer.choice is not None and answer.probs_source != "logprobs":
            expected = False
            log(
                f"{record.system}: no log-probability of its label came with the reply to {record.item.id}: "
                "the answer stands, how likely it was is unknown (said once)"
            )
        yield record
