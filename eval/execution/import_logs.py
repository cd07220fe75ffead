"""Logs of other tools become a run: their items, replies, probabilities and costs, scored and compared like any other.

Log files in, a run directory out. Each file is read once, row by row, into a temporary file; what stays in memory of a
row are its place and a few keys. Nothing of the run is written before every file has been read. The formats are in
`eval.execution.logs.registry`.
"""

import hashlib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from data.common.errors import ConfigurationError
from data.common.files import open_bytes, sole_writer
from data.common.progress import log as say
from data.registry import benchmark, load_items
from data.types import Item
from eval.execution.import_replies import imported_manifest, split_of
from eval.execution.logs.catalogue import Catalogue
from eval.execution.logs.items import LoggedItems
from eval.execution.logs.reading import read_log
from eval.execution.logs.records import make_record
from eval.execution.logs.registry import Format, format_of, unknown_format
from eval.execution.logs.spool import Spool
from eval.execution.logs.systems import Linker, LoggedSystem, groups_of, joined, name_systems
from eval.rundir.description import LogDescription, SystemDescription
from eval.rundir.journal import Journal, records_path
from eval.rundir.manifest import Evaluation, Manifest, begin_run


class GivenItems(NamedTuple):
    """Items that a log's rows are matched to: those of a benchmark, or of a labelled file.

    Attributes:
        benchmark: The name or the file.
        split: None for the benchmark's own.
        data: Where the items are; None for the benchmark's own place.
        skip_bad_rows: Leave malformed rows of `data` out, and say how many.
    """

    benchmark: str
    split: str | None = None
    data: Path | None = None
    skip_bad_rows: bool = False

    def load(self) -> list[Item]:
        """Return the items.

        Raises:
            ProjectError: They are not there, or malformed.
        """
        return load_items(self.benchmark, split=self.split, path=self.data, skip_bad_rows=self.skip_bad_rows)


def known_formats(files: Sequence[Path], *, are_replies: bool) -> list[tuple[Path, Format]]:
    """Return each file with its format; nothing where all are rows of replies, whose items must be named.

    Args:
        files: The files of one import.
        are_replies: Whether a file without the marks of any format may be rows of replies.

    Raises:
        ConfigurationError: A file bears the marks of no format, or all are replies to items that are not named.
        MissingResourceError: A file is not there.
    """
    found = [(path, format_of(path)) for path in files]
    if are_replies and all(format is None or format.is_reply_file for _, format in found):
        return []
    if unknown := next((path for path, format in found if format is None), None):
        raise unknown_format(unknown)
    known = [(path, format) for path, format in found if format is not None]
    if all(format.is_reply_file for _, format in known):
        raise ConfigurationError(f"{files[0]} holds replies and no items; say whose items they answer with --benchmark")
    return known


def import_logs(
    files: Sequence[tuple[Path, Format]],
    run_dir: Path,
    *,
    given: GivenItems | None = None,
    answers_from: int | None = None,
) -> None:
    """Write a run directory with a system for each model, prompt or file of some logs.

    Logs that share items are one evaluation of the run; a log with items of its own is another.

    Args:
        files: Each with its format.
        run_dir: A new or empty folder.
        given: Whose items were asked; None: those that the logs hold.
        answers_from: Whether right answers that are numbers count from 0 or from 1; None: as they can only be meant.

    Raises:
        ConfigurationError: A file is damaged, its rows answer no item that is known, or the run's folder is in use.
        MissingResourceError: The benchmark's items are not there.
    """
    items = given.load() if given is not None else []
    with Spool() as spool:
        catalogue = Catalogue(spool)
        for item in items:
            catalogue.add_given(item)
        # Prompts first, then logs that hold items: what holds neither can be matched to those.
        logs = [read_log(path, format, spool, answers_from=answers_from) for path, format in files]
        linker = Linker(catalogue, spool, is_closed=given is not None)
        linked = [linker.link(log) for log in sorted(logs, key=lambda log: (not log.is_prompts, not log.has_items))]
        systems = joined(chain.from_iterable(linked))
        if not systems:
            raise ConfigurationError(f"{files[0][0]} holds no replies; name the file that does, too")
        name_systems(systems)
        groups = [systems] if given is not None else groups_of(systems)
        asked = [LoggedItems(catalogue, spool, group, _name(group, catalogue, given)) for group in groups]
        for note in chain(linker.notes, *(log.notes() for log in logs)):
            say(note)
        manifest = _manifest(run_dir.name, groups, asked, spool, files=[path for path, _ in files], given=given)
        with sole_writer(run_dir):
            begin_run(run_dir, manifest)
            for group, own in zip(groups, asked, strict=True):
                for system in group:
                    _write(run_dir, system, own, linker, spool)


def _name(group: Sequence[LoggedSystem], catalogue: Catalogue, given: GivenItems | None) -> str:
    """Return what the items of a group are called together: the benchmark, or the first of the logs' tasks."""
    if given is not None:
        return benchmark(given.benchmark).name
    tasks = list(dict.fromkeys(catalogue.entries[number].task for system in group for number in system.replies))
    return f"{tasks[0] or 'log'} and {len(tasks) - 1} more" if len(tasks) > 1 else tasks[0] or "log"


def _manifest(
    name: str,
    groups: Sequence[Sequence[LoggedSystem]],
    asked: Sequence[LoggedItems],
    spool: Spool,
    *,
    files: Sequence[Path],
    given: GivenItems | None,
) -> Manifest:
    evaluations = tuple(
        Evaluation(
            benchmark=own.name,
            split="logged" if given is None else split_of(benchmark(given.benchmark), given.split, given.data),
            data=None if given is None or given.data is None else str(given.data),
            n_items=len(own),
            fingerprint=own.fingerprint,
            systems=tuple(system.name for system in group),
        )
        for group, own in zip(groups, asked, strict=True)
    )
    descriptions = {
        system.name: _description(system, own, spool)
        for group, own in zip(groups, asked, strict=True)
        for system in group
    }
    return imported_manifest(name, files, evaluations, descriptions)


def _description(system: LoggedSystem, own: LoggedItems, spool: Spool) -> SystemDescription:
    hashed = hashlib.sha256()
    for file in system.files:
        with open_bytes(file.path) as log:
            hashlib.file_digest(log, lambda: hashed)
    costs, metric = list[float](), ""
    is_priced = any("usd" in file.held for file in system.files)
    for places in system.replies.values():
        if metric and not is_priced:
            break
        rows = [spool.row(place) for place in places]
        metric = metric or rows[0].metric
        costs += [sum(row.usd or 0 for row in rows)] if any(row.usd is not None for row in rows) else []
    said = {"tool": system.files[0].format.name, "model": system.model, "metric": metric}
    paid = {"usd": sum(costs), "usd_items": len(costs)} if costs else {}
    return SystemDescription(
        kind="imported",
        replies=", ".join(str(file.path) for file in system.files),
        replies_sha256=hashed.hexdigest(),
        answer_form=own.form,
        log=LogDescription.model_validate({**{name: text for name, text in said.items() if text}, **paid}),
    )


def _write(run_dir: Path, system: LoggedSystem, own: LoggedItems, linker: Linker, spool: Spool) -> None:
    """Write a system's journal in the order of the items."""
    with Journal(records_path(run_dir, system.name)) as journal:
        for number in own.numbers:
            if number not in system.replies:
                continue
            rows = [spool.row(place) for place in system.replies[number]]
            sent, item = linker.prompt(rows[0].id), own.item(number)
            journal.append(make_record(rows, item, system=system.name, form=own.form, sent=sent))
