"""Reads every reply of a run again with today's extraction rules; no model is called."""

from pathlib import Path
from typing import NamedTuple

from chains.predictor import extract
from data.types import Record
from eval.journal import read_manifest, read_records, records_path, write_atomically


class Change(NamedTuple):
    """One item that is read differently now; choices are 0-based, None for no answer."""

    system: str
    item_id: str
    before: int | None
    after: int | None
    target: int


def rescore(run_dir: Path) -> list[Change]:
    """Extract every generated answer again, keep the new predictions in the journals, and return what changed.

    Raises:
        ProjectError: The folder is no run, or a journal is damaged.
    """
    manifest = read_manifest(run_dir)
    changes: list[Change] = []
    for system, description in manifest.systems.items():
        path = records_path(run_dir, system)
        if "answer_form" not in description or not path.exists():
            continue
        before = list(read_records(path))
        after = [_read_again(record, description["answer_form"]) for record in before]
        if after != before:
            write_atomically(path, "".join(record.model_dump_json() + "\n" for record in after))
        for old, new in zip(before, after, strict=True):
            if old.prediction and new.prediction and old.prediction.choice != new.prediction.choice:
                changes.append(
                    Change(system, old.item.id, old.prediction.choice, new.prediction.choice, old.item.target)
                )
    return changes


def _read_again(record: Record, form: str) -> Record:
    prediction = record.prediction
    if prediction is None or not prediction.raw:
        return record
    truncated = prediction.finish_reason == "length"
    found = extract(prediction.raw, record.item.choices, form=form, truncated=truncated)
    read = prediction.model_copy(update={"choice": found.choice, "status": found.status, "rule": found.rule})
    return record.model_copy(update={"prediction": read})
