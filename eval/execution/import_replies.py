"""Replies that were recorded elsewhere become a run: read by the same rules, scored and compared like any other.

In comes a file of rows for each system, in JSON Lines, a JSON list or tab-separated values:

    {"id": "kice/2023-11/q01", "output": "정답은 4번입니다."}

with, where they are known, "finish_reason" ("length" where a reply was cut off), "reasoning", "prompt", "input_tokens",
"output_tokens" and "latency_s"; an output of null is a reply without text. Out comes a run directory. No model is
called, and what is unknown stays unknown: an item without a row has no record, so the run says that it is incomplete.
"""

import hashlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field, ValidationError

from chains.models.reply_fields import openai_finish_reason
from chains.reading.reply import read_text
from data.bounds import LONGEST_S, MOST_TOKENS
from data.common.errors import ConfigurationError, first_fault
from data.common.files import open_bytes, sole_writer
from data.common.progress import log
from data.registry import benchmark, fingerprint, load_items
from data.rows import read_rows
from data.types import Benchmark, Frozen, Item, Prediction, Record, Text
from eval.rundir.description import AnswerForm, SystemDescription
from eval.rundir.journal import Journal, records_path
from eval.rundir.manifest import Evaluation, Manifest, begin_run
from eval.rundir.names import system_name_fault


class Reply(Frozen):
    """One row of a file: what a model said to an item; its id in the form in which items' ids are read from files."""

    id: Text
    output: str | None
    finish_reason: str = ""
    prompt: str = ""
    reasoning: str = ""
    reasoning_content: str = ""
    input_tokens: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    output_tokens: int | None = Field(default=None, ge=0, le=MOST_TOKENS)
    latency_s: float | None = Field(default=None, ge=0, le=LONGEST_S)


def import_replies(
    files: Sequence[Path],
    benchmark_name: str,
    run_dir: Path,
    *,
    split: str | None,
    data: Path | None,
    skip_bad_rows: bool = False,
) -> None:
    """Write a run directory with a system for each file, named by the file.

    Args:
        files: One for each system.
        benchmark_name: Whose items were asked.
        run_dir: A new or empty folder.
        split: None for the benchmark's own.
        data: Where the items are; None for the benchmark's own place.
        skip_bad_rows: Leave malformed rows of `data` out, and say how many.

    Raises:
        ConfigurationError: A row is malformed, names no item of the benchmark or one that has a row already, or the
            run's folder is in use.
        MissingResourceError: A file or the items are not there.
    """
    about = benchmark(benchmark_name)
    items = load_items(benchmark_name, split=split, path=data, skip_bad_rows=skip_bad_rows)
    form: AnswerForm = "number" if about.labels is None else "label"
    systems = _systems(files)
    records = {name: _records(file, name, items, form) for name, file in systems.items()}
    _say_numbers(systems, records, form)
    evaluation = Evaluation(
        benchmark=about.name,
        split=split_of(about, split, data),
        data=str(data) if data else None,
        n_items=len(items),
        fingerprint=fingerprint(items),
        systems=tuple(systems),
    )
    descriptions = {n: _description(file, form) for n, file in systems.items()}
    manifest = imported_manifest(run_dir.name, files, (evaluation,), descriptions)
    with sole_writer(run_dir):
        begin_run(run_dir, manifest)
        for name, of_system in records.items():
            with Journal(records_path(run_dir, name)) as journal:
                for record in of_system:
                    journal.append(record)


def split_of(about: Benchmark, split: str | None, data: Path | None) -> str:
    """Return what a manifest calls the split whose items were asked: where they are a file, it is named after that."""
    return split or (data.stem if data is not None and data.is_file() else about.default_split)


def imported_manifest(
    name: str, files: Sequence[Path], evaluations: tuple[Evaluation, ...], descriptions: dict[str, SystemDescription]
) -> Manifest:
    """Return the manifest of a run that is made of files.

    Args:
        name: The run's name.
        files: What it is made of.
        evaluations: What was asked of whom.
        descriptions: What each system is, by name.
    """
    return Manifest(
        name=name,
        suite={"imported": [str(file) for file in files]},
        evaluations=evaluations,
        systems=descriptions,
        seed=0,
        versions={"python": sys.version.split()[0]},
        started_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _say_numbers(systems: dict[str, Path], records: dict[str, list[Record]], form: str) -> None:
    """Say how many replies name a label by a number that nothing explains, and what to do."""
    for name, file in systems.items():
        n = sum(_is_number_of_label(record) for record in records[name]) if form == "label" else 0
        if n:
            log(
                f"{file}: {n:,} of {len(records[name]):,} replies name a label by a number, which is not read, as no "
                'prompt says which label that is; give these rows their "prompt", or the label\'s name as "output"'
            )


def _is_number_of_label(record: Record) -> bool:
    """Say whether a reply without an answer would have one had its prompt numbered the labels, from 0 or from 1."""
    prediction, choices = record.prediction, record.item.choices
    if prediction is None or prediction.choice is not None:
        return False
    lists = ("\n".join(f"{n}. {choice}" for n, choice in enumerate(choices, start)) for start in (0, 1))
    readings = (
        read_text(prediction.raw, choices, form="label", finish_reason=prediction.finish_reason, prompt=numbered)
        for numbered in lists
    )
    return any(read.extraction.choice is not None for read in readings)


def _systems(files: Sequence[Path]) -> dict[str, Path]:
    """Name each file's system: a name is a folder of the run."""
    systems: dict[str, Path] = {}
    for file in files:
        name = file.stem
        if fault := system_name_fault(name):
            raise ConfigurationError(f"{file}: {fault}; a system is named by its file")
        if name in systems:
            raise ConfigurationError(f"{systems[name]} and {file} are both system '{name}'; rename one")
        systems[name] = file
    return systems


def _description(file: Path, form: AnswerForm) -> SystemDescription:
    with open_bytes(file) as replies:
        sha256 = hashlib.file_digest(replies, "sha256").hexdigest()
    return SystemDescription(kind="imported", replies=str(file), replies_sha256=sha256, answer_form=form)


def _records(file: Path, system: str, items: Sequence[Item], form: str) -> list[Record]:
    """Return a file's replies as records, in the order of the items."""
    by_id = {item.id: item for item in items}
    found: dict[str, Record] = {}
    for place, row in read_rows(file):
        # An empty cell of a table says nothing; an empty output is what the model said.
        given = {name: value for name, value in row.items() if name == "output" or value not in ("", None)}
        try:
            reply = Reply.model_validate(given)
        except ValidationError as error:
            raise ConfigurationError(f"{file}, {place}: {first_fault(error)}") from None
        if reply.id not in by_id:
            raise ConfigurationError(f"{file}, {place}: there is no item '{reply.id}'; the first is '{items[0].id}'")
        if reply.id in found:
            raise ConfigurationError(f"{file}, {place}: item '{reply.id}' has a row already")
        found[reply.id] = _record(reply, by_id[reply.id], system, form)
    if not found:
        raise ConfigurationError(f"{file}: holds no replies")
    return [found[item.id] for item in items if item.id in found]


def _record(reply: Reply, item: Item, system: str, form: str) -> Record:
    finish_reason = openai_finish_reason(reply.finish_reason)
    question = item.inputs.get("question", "")
    read = read_text(
        reply.output or "",
        item.choices,
        form=form,
        finish_reason=finish_reason,
        prompt=reply.prompt,
        question=question,
    )
    counts = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    prediction = Prediction(
        **read.extraction._asdict(),
        raw=read.raw,
        reasoning=reply.reasoning or reply.reasoning_content or read.reasoning,
        finish_reason=finish_reason,
        usage={name: count for name, count in counts.items() if count is not None},
    )
    return Record(item=item, system=system, prediction=prediction, latency_s=reply.latency_s)
