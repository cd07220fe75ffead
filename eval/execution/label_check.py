"""Whether a run's classifier names its labels rightly: its journal in, a refusal before any report is written out."""

from pathlib import Path

from eval.measures.label_order import check_label_order
from eval.measures.metrics import NO_ANSWER
from eval.plan.system import System
from eval.rundir.journal import read_records

REMEDY_CHECKPOINT = (
    "correct id2label in its config.json, or, where the items are meant to mislead it, turn this check off with "
    "--any-label-order (in a suite: any_label_order: true)"
)
REMEDY_TRAINED = (
    "the items that it learnt from and those it is evaluated on seem to name their labels differently: correct the "
    "data, or, where the items are meant to mislead it, turn this check off with any_label_order: true in the suite"
)


def check_labels(system: System, path: Path) -> None:
    """Stop before a report shows the scores of a classifier that seems to name its labels wrongly.

    Args:
        system: Checked where it has `labels`.
        path: Its settled journal.

    Raises:
        ConfigurationError: Other names fit its answers far better.
    """
    if system.labels is None:
        return
    targets, choices = [], []
    for record in read_records(path):  # one an item: the journal is settled
        if record.prediction is not None:
            targets.append(record.item.target)
            choices.append(NO_ANSWER if record.prediction.choice is None else record.prediction.choice)
    checkpoint = system.description.checkpoint
    where = (
        f"the system '{system.name}', trained in this run," if checkpoint is None else f"the checkpoint '{checkpoint}'"
    )
    remedy = REMEDY_TRAINED if checkpoint is None else REMEDY_CHECKPOINT
    again = f"with that option --resume {path.parent.parent} reports its answers, which are journaled in {path}"
    remedy = f"{remedy}; {again}; what is corrected needs a new run"
    check_label_order(targets, choices, labels=system.labels, where=where, remedy=remedy)
