"""`python -m data`: fetch the published exams, check an exam or a labelled file, list what there is.

stdout carries paths, faults or the list (with --json one object); what is going on goes to stderr. Exit codes:
0 done; 2 usage, configuration, or faults for which `eval run` refuses the exam; 3 data that is not there; 130
interrupted (a fetch resumes).
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from data.card import CARD_SUFFIXES, TaskCard, card_yaml, is_task
from data.common.command_line import run_command
from data.common.files import write_atomically
from data.common.table import aligned
from data.common.terminal import emit, emit_json, say
from data.download import NAMES, fetch
from data.formats import folder_kind, may_be_labelled
from data.kice import DATA_DIR, YEARS, exam_path
from data.kice_check import listed_faults, read_exam
from data.registry import BENCHMARKS, RETRIEVAL_SETS, benchmark
from data.task_check import PERCENTILES, check_task

FAULTS_FOUND = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run_command(_parser(), argv, _run, interrupted="interrupted; run it again to resume")


def _run(arguments: argparse.Namespace) -> int:
    code: int = arguments.command(arguments)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description="Fetch, check and list the data that is asked.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    fetching = commands.add_parser("fetch", parents=[common], help="fetch published exams, checked by SHA-256")
    fetching.add_argument("name", metavar="NAME", help=f"kice for all years, or one of {NAMES[1]} to {NAMES[-1]}")
    fetching.add_argument(
        "--to", metavar="DIR", type=Path, default=DATA_DIR, help="folder to put them in (default: data)"
    )
    fetching.set_defaults(command=_fetch)

    checking = commands.add_parser(
        "check", parents=[common], help="list every fault of an exam, or what a labelled file holds"
    )
    checking.add_argument(
        "file", metavar="FILE", type=Path, help="an exam (JSON of KICE_slayer_AI_Korean), a labelled file, or a card"
    )
    checking.set_defaults(command=_check)

    listing = commands.add_parser("list", parents=[common], help="list benchmarks, their splits, and retrieval sets")
    listing.set_defaults(command=_list)
    return parser


def _fetch(arguments: argparse.Namespace) -> int:
    paths = []
    for path in fetch(arguments.name, arguments.to):
        paths.append(str(path))
        if not arguments.json:
            emit(str(path))
    if arguments.json:
        emit_json({"paths": paths})
    return 0


def _check(arguments: argparse.Namespace) -> int:
    return _check_task(arguments) if _is_labelled(arguments.file) else _check_exam(arguments)


def _is_labelled(path: Path) -> bool:
    """Say whether a file is to be read as labelled rows: a table or its card, and no JSON in an exam's place."""
    try:
        if path.is_dir():
            return any(path.glob("*train*")) and folder_kind(path) is None
        return is_task(str(path)) and path.is_file() and may_be_labelled(path)
    except OSError:  # a name that no file can have
        return False


def _check_task(arguments: argparse.Namespace) -> int:
    """Say what a labelled file holds, and write its card beside it, where there is none yet."""
    path = arguments.file
    found = check_task(path)
    if arguments.json:
        rows = [count._asdict() for count in found.labels]
        emit_json({**found._asdict(), "file": str(path), "labels": rows, "card": found.card.model_dump(mode="json")})
        return 0
    for note in found.notes:
        say(f"{path}: {note}")
    emit(f"{path}: {found.train:,} items to learn from, {found.test:,} to measure")
    at = zip(PERCENTILES, found.lengths, strict=True)
    emit(f"characters of an item: {', '.join(f'{length:,} at {share} %' for share, length in at)}")
    if found.labels:
        counts = [(count.label, f"{count.train:,}", f"{count.test:,}") for count in found.labels]
        emit(aligned([("label", "train", "test"), *counts]))
    emit("\n".join(found.findings) or "nothing odd was found")
    _write_card(path, found.card)
    return 0


def _write_card(path: Path, card: TaskCard) -> None:
    if path.suffix.lower() in CARD_SUFFIXES:
        return
    target = path.resolve().with_name(f"{path.resolve().stem}.card.yaml")
    if target.exists():
        say(f"{target} is there already, and stays as it is")
        return
    train = {"train": path.name} if path.is_file() else {"train": str(path.resolve())}
    write_atomically(target, card_yaml(card.model_copy(update=train)))
    say(f"the card is {target}: change it, and name it in the place of the file")


def _check_exam(arguments: argparse.Namespace) -> int:
    found = listed_faults(arguments.file)
    is_refused = any(fault.blocks for fault in found)  # by `eval run` too
    contents = {} if is_refused else _exam_contents(arguments.file)
    if arguments.json:
        emit_json({"file": str(arguments.file), "faults": [str(fault) for fault in found], **contents})
    elif found:
        emit("\n".join(map(str, found)))
    else:
        holds = ", ".join(f"{count:g} {what}" for what, count in contents.items())
        emit(f"{arguments.file}: no faults in {holds}")
    if found:
        said = (
            f"{len(found)} fault{'s' if len(found) > 1 else ''}{'' if is_refused else ', none that keeps it from use'}"
        )
        say(f"{arguments.file}: {said}")
    return FAULTS_FOUND if is_refused else 0


def _exam_contents(path: Path) -> dict[str, float]:
    """Count what an exam file that items can be made of holds: paragraphs, problems, points."""
    exam = read_exam(path)
    problems = [problem for paragraph in exam for problem in paragraph["problems"]]
    points = math.fsum(problem["score"] for problem in problems)
    return {"paragraphs": len(exam), "problems": len(problems), "points": points}


def _list(arguments: argparse.Namespace) -> int:
    fetched = [year for year in YEARS if exam_path(year).is_file()]
    benchmarks = [benchmark(name) for name in BENCHMARKS]
    if arguments.json:
        described = [metadata.model_dump(mode="json") for metadata in benchmarks]
        emit_json({"benchmarks": described, "exams_fetched": fetched, "retrieval_sets": list(RETRIEVAL_SETS)})
        return 0
    for metadata in benchmarks:
        emit(f"benchmark {metadata.name}: {metadata.title}")
        emit(f"  splits: {', '.join(metadata.splits)} (default {metadata.default_split})")
        emit(f"  source: {metadata.source}\n  licence: {metadata.licence}")
    emit(f"exams fetched: {', '.join(fetched) or 'none (python -m data fetch kice-2023)'}")
    emit(f"retrieval sets: {', '.join(RETRIEVAL_SETS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
