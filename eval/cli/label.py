"""`python -m eval label FILE --system RUN/NAME`: rows that nobody has labelled in, the same rows with labels out."""

import argparse
import hashlib
import itertools
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data.common.command_line import INTERRUPTED
from data.common.errors import ConfigurationError
from data.common.language import Language, language
from data.common.progress import Progress, log
from data.common.terminal import emit, emit_json
from data.row_stream import WRITABLE, Source, open_rows
from data.table import SUFFIXES
from eval.cli.read_options import read_policy
from eval.execution.error_limit import ErrorCount, read_error_limit
from eval.measures.drift import Drift, Given, measure_drift

if TYPE_CHECKING:
    from eval.execution.label_rows import Asking
    from eval.execution.labelled_files import Written
    from eval.plan.labellers import Labeller

PROMISE = 0.95


class _Evaluated(NamedTuple):
    """What a run says of the system that labels.

    Attributes:
        given: What it gave to the items of the run.
        threshold: The probability from which its labels are promised right often enough; None where none is.
        n_items: How many items that was found on.
    """

    given: Given
    threshold: float | None
    n_items: int


def label(options: argparse.Namespace) -> int:
    """Label the rows of files, and say how they differ from what the labeller was measured on."""
    from chains.models.providers import read_env_file
    from eval.execution.label_rows import begin, label_rows
    from eval.execution.labelled_files import write_labelled

    read_env_file()
    _check(options)
    labeller = _with_columns(_labeller(options), options.text or [])
    sources = _sources(options, labeller)
    out = options.out or options.files[0].with_name(f"{options.files[0].stem}.labelled{_suffix(options.files[0])}")
    if out.exists():
        raise ConfigurationError(f"{out} is there already; name another file with --out")
    evaluated = _evaluated(options, labeller.labels)
    work = out.with_name(f".{out.name}.labelling")
    n_rows = sum(sum(1 for _ in source.rows()) for source in sources)  # what cannot be read is said before anything is
    if not n_rows:
        raise ConfigurationError(f"{', '.join(map(str, options.files))}: there are no rows to label")
    begin(work, _about(sources, labeller))
    rows = itertools.chain.from_iterable(source.rows() for source in sources)
    try:
        with Progress(labeller.name, n_rows) as progress:
            label_rows(labeller, rows, work, _asking(options, labeller, work, n_rows), progress)
    except KeyboardInterrupt:
        log("interrupted; the same command goes on where this one stopped")
        return INTERRUPTED
    below = options.review_below if options.review_below is not None else evaluated and evaluated.threshold
    written = write_labelled(sources, labeller.labels, work, out, review_below=below)
    shutil.rmtree(work)
    drift = measure_drift(written.given, evaluated.given) if evaluated else None
    if options.json:
        emit_json(_as_json(out, written, below, drift))
    else:
        emit("\n".join(_said(out, written, below, drift, language(options.lang))))
    _say_promise(options, evaluated)
    return 0


def _check(options: argparse.Namespace) -> None:
    if (
        sum(one is not None for one in (options.checkpoint, options.suite))
        + (options.system is not None and options.suite is None)
        != 1
    ):
        raise ConfigurationError("say who labels: --system RUN/NAME, --checkpoint DIR, or --suite FILE [--system NAME]")
    if options.out is not None and options.out.suffix.lower() not in WRITABLE:
        raise ConfigurationError(f"--out {options.out}: cannot write such files; allowed: {', '.join(WRITABLE)}")
    for flag in ("promise", "review_below"):
        value = getattr(options, flag)
        if value is not None and not 0 < value < 1:
            raise ConfigurationError(f"--{flag.replace('_', '-')} {value:g} is no probability between 0 and 1")
    if options.max_concurrency < 1:
        raise ConfigurationError(f"--max-concurrency {options.max_concurrency} lets nothing run; give 1 or more")


def _labeller(options: argparse.Namespace) -> "Labeller":
    from eval.plan.labellers import labeller_of_checkpoint, labeller_of_run, labeller_of_suite

    if options.checkpoint is not None:
        return labeller_of_checkpoint(options.checkpoint)
    if options.suite is not None:
        return labeller_of_suite(options.suite, options.system)
    run_dir, name = _run_and_name(options.system)
    return labeller_of_run(run_dir, name)


def _run_and_name(system: str) -> tuple[Path, str]:
    path = Path(system)
    if path.parent == Path() or not path.name:
        raise ConfigurationError(f"--system {system} names no run; give RUN/NAME, such as runs/tickets.decide/tfidf")
    return path.parent, path.name


def _with_columns(labeller: "Labeller", said: Sequence[str]) -> "Labeller":
    """Return a labeller that reads the columns which the user named, for the texts in their order or by name."""
    if not said:
        return labeller
    names = list(labeller.columns)
    pairs = [one.split("=", 1) if "=" in one else [name, one] for one, name in zip(said, names, strict=False)]
    if len(said) != len(names) or {name for name, _ in pairs} != set(names):
        raise ConfigurationError(f"--text {' '.join(said)}: '{labeller.name}' reads {', '.join(names)}; name a column "
                                 "for each")  # fmt: skip
    return labeller._replace(columns=dict(pairs))


def _sources(options: argparse.Namespace, labeller: "Labeller") -> list[Source]:
    """Open the files, those of a folder in the order of their names."""
    wanted = list(labeller.columns.values())
    paths = [path for given in options.files for path in _files(given)]
    sources = []
    for path in paths:
        only = wanted[0] if len(wanted) == 1 else ""
        source = open_rows(path, columns=options.columns or (), encoding=options.encoding, only=only)
        for note in source.notes:
            log(f"{path}: {note}")
        if lacking := [column for column in wanted if column not in source.columns]:
            raise ConfigurationError(
                f"{path} has no column '{lacking[0]}', which '{labeller.name}' reads; it has "
                f"{', '.join(source.columns[:12])}: name one with --text"
            )
        sources.append(source)
    return sources


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
    if not found:
        raise ConfigurationError(f"{path} holds no table; allowed: {', '.join(SUFFIXES)}")
    return found


def _suffix(path: Path) -> str:
    """Return in what the labels are written where nobody says it: as the file is, or as what can be written so."""
    like = {".tab": ".tsv", ".txt": ".csv", ".xlsx": ".csv", ".json": ".jsonl", ".ndjson": ".jsonl"}
    suffix = path.suffix.lower()
    return ".parquet" if path.is_dir() else like.get(suffix, suffix)


def _about(sources: Sequence[Source], labeller: "Labeller") -> dict[str, object]:
    """Return what must be the same for labelling to go on: the rows, and who labels them by which columns."""
    rows = []
    for source in sources:
        with source.path.open("rb") as file:
            rows.append([str(source.path), hashlib.file_digest(file, "sha256").hexdigest()])
    stages = [stage.description.model_dump(mode="json") for stage in labeller.stages]
    thresholds = [repr(threshold) for threshold in labeller.thresholds]
    return {
        "rows": rows,
        "labeller": {"stages": stages, "thresholds": thresholds, "labels": list(labeller.labels)},
        "columns": dict(labeller.columns),
    }


def _asking(options: argparse.Namespace, labeller: "Labeller", work: Path, n_rows: int) -> "Asking":
    from eval.execution.label_rows import Asking, calls_of

    count = ErrorCount(read_error_limit(options.max_errors), total=n_rows)
    return Asking(calls_of(labeller, work, read_policy(options)), options.max_concurrency, count)


def _evaluated(options: argparse.Namespace, labels: Sequence[str]) -> _Evaluated | None:
    """Read what the labeller answered in its run; None where it comes from none."""
    if options.checkpoint is not None or options.suite is not None:
        return None
    from eval.measures.run_answers import read_systems
    from eval.measures.thresholds import NONE_ALONE, WITHOUT, confidence_of, promised
    from eval.rundir.manifest import read_manifest

    run_dir, name = _run_and_name(options.system)
    evaluation = next(one for one in read_manifest(run_dir).evaluations if name in one.systems)
    answers = read_systems(run_dir, evaluation, [name])[name].predictions
    if not len(answers):
        return None
    confidence = confidence_of(answers)
    counts = Counter(int(choice) for choice in answers.choices if choice >= 0)
    known = confidence[confidence > WITHOUT]
    given = Given({labels[place]: n for place, n in counts.items()}, float(known.sum()), len(known))
    threshold = promised(confidence, answers.correct, answers.groups, options.promise)
    return _Evaluated(given, None if threshold >= NONE_ALONE else threshold, len(answers))


def _say_promise(options: argparse.Namespace, evaluated: _Evaluated | None) -> None:
    if options.review_below is not None or evaluated is None:
        return
    of = f"{100 * options.promise:g} of 100 right, with 95 % confidence, as on the run's {evaluated.n_items:,} items"
    if evaluated.threshold is None:
        log(f"no probability promises {of}; choose what people look at yourself with --review-below")
    else:
        log(f"labels from a confidence of {evaluated.threshold:.3f} on are promised: {of}")


def _said(out: Path, written: "Written", below: float | None, drift: Drift | None, say: Language) -> list[str]:
    from eval.execution.labelled_files import review_path

    n = written.statuses.total()
    lines = [say.count(n, "{n} row labelled: {file}", "{n} rows labelled: {file}", file=str(out))]
    others = [f"{status} {count:,}" for status, count in written.statuses.items() if status != "ok"]
    if others:
        lines.append(say("without a label: {statuses}", statuses=", ".join(others)))
    if written.first_error:
        lines.append(say("the first error: {error}", error=written.first_error))
    if below is not None:
        lines.append(
            say.count(
                written.n_review,
                "for people: {n} row ({share} %) without a label, or below a confidence of {below}: {file}",
                "for people: {n} rows ({share} %) without a label, or below a confidence of {below}: {file}",
                share=f"{100 * written.n_review / max(n, 1):.1f}",
                below=f"{below:.3f}",
                file=str(review_path(out)),
            )
        )
    return [*lines, *(_drift_lines(drift, say) if drift else [])]


def _drift_lines(drift: Drift, say: Language) -> list[str]:
    lines = []
    if drift.confidence is not None:
        now, before = (f"{mean:.3f}" for mean in drift.confidence)
        lines.append(say("mean confidence: {now}; in the run {before}", now=now, before=before))
    if drift.most is not None:
        name, share, before_share = drift.most
        lines.append(
            say(
                "labels: {moved} % would have to be others to be shared out as in the run; {label} changed the most: "
                "{now} % against {before} %",
                moved=f"{100 * drift.moved:.1f}",
                label=name,
                now=f"{100 * share:.1f}",
                before=f"{100 * before_share:.1f}",
            )
        )
    return lines


def _as_json(out: Path, written: "Written", below: float | None, drift: Drift | None) -> dict[str, object]:
    return {
        "out": str(out),
        "rows": written.statuses.total(),
        "statuses": dict(written.statuses),
        "labels": dict(written.given.labels),
        "review_below": below,
        "review_rows": written.n_review,
        "drift": None if drift is None else drift._asdict(),
    }
