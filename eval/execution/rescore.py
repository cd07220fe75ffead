"""Reads every reply of a run again with today's extraction rules; no model is called."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from chains.reading.choices import Extraction
from chains.reading.reply import ReadText, read_text
from chains.repeated import draw_key, majority
from data.common.files import replace_file, sole_writer
from data.common.secrets import make_redactor
from data.types import Item, Message, Prediction, Record, Trial
from eval.execution.cascade import make_cascade
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import Manifest, read_manifest
from eval.rundir.readable import readable_json
from eval.rundir.run_check import check_journals

Reader = Callable[..., ReadText]  # reads a reply in the form, and by the way of answering, of one system


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
    with sole_writer(run_dir):  # a run that goes on appends to the very files that are replaced here
        check_journals(run_dir, manifest)
        changes = _read_all_again(run_dir, manifest)
        _make_cascades(run_dir, manifest)
        return changes


def _make_cascades(run_dir: Path, manifest: Manifest) -> None:
    """Make the cascades of a run anew, of what their members' replies are read as now."""
    for evaluation in manifest.evaluations:
        for name in (one for one in evaluation.systems if manifest.systems[one].cascade is not None):
            items = [record.item for record in read_records(records_path(run_dir, name))]
            make_cascade(run_dir, manifest, evaluation, name, items)


def _read_all_again(run_dir: Path, manifest: Manifest) -> list[Change]:
    changes: list[Change] = []
    redact = make_redactor()
    for system, description in manifest.systems.items():
        path = records_path(run_dir, system)
        form = description.answer_form
        if form is None:
            continue
        structured = description.answering == "structured"
        read = partial(read_text, form=form, structured=structured)
        before = list(read_records(path))
        after = [_read_again(record, read, seed=manifest.seed) for record in before]
        if after != before:
            replace_file(path, "".join(readable_json(record, redact)[1] + "\n" for record in after))
        for old, new in zip(before, after, strict=True):
            if old.prediction and new.prediction and old.prediction.choice != new.prediction.choice:
                changes.append(
                    Change(system, old.item.id, old.prediction.choice, new.prediction.choice, old.item.target)
                )
    return changes


def _read_again(record: Record, read: Reader, *, seed: int) -> Record:
    prediction = record.prediction
    if prediction is None:
        return record
    if prediction.asks:
        return record.model_copy(update={"prediction": _read_asks_again(record, prediction, read, seed)})
    if not prediction.raw:
        return record
    found = _extracted(prediction, record.item, record.item.choices, read, record.messages)
    now = prediction.model_copy(update={"choice": found.choice, "status": found.status, "rule": found.rule})
    return record.model_copy(update={"prediction": now})


def _read_asks_again(record: Record, prediction: Prediction, read: Reader, seed: int) -> Prediction:
    item, asks = record.item, []
    for ask in prediction.asks:
        if ask.raw:
            shown = [item.choices[own] for own in ask.order]
            found = _extracted(ask, item, shown, read, ask.messages or record.messages)
            choice = None if found.choice is None else ask.order[found.choice]
            ask = ask.model_copy(update={"choice": choice, "status": found.status, "rule": found.rule})
        asks.append(ask)
    most = majority(asks, source=prediction.probs_source, key=draw_key(seed, item.id))
    return prediction.model_copy(update={**most, "asks": tuple(asks)})


def _extracted(
    said: Prediction | Trial, item: Item, choices: Sequence[str], read: Reader, messages: Sequence[Message] | None
) -> Extraction:
    prompt = "\n".join(message.content for message in messages or ())
    question = item.inputs.get("question", "")
    return read(said.raw, choices, finish_reason=said.finish_reason, prompt=prompt, question=question).extraction
