"""`python -m data`: fetch the published exams, check an exam or a labelled file, list what there is.

stdout carries paths, faults or the list (with --json one object); what is going on goes to stderr. Exit codes:
0 done; 2 usage, configuration, or faults for which `eval run` refuses the exam; 3 data that is not there; 130
interrupted (a fetch resumes).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.check_command import add_check
from data.common.command_line import run_command
from data.common.terminal import emit, emit_json
from data.download import NAMES, fetch
from data.kice import DATA_DIR, YEARS, exam_path
from data.registry import BENCHMARKS, RETRIEVAL_SETS, benchmark


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

    add_check(
        commands.add_parser(
            "check", parents=[common], help="list every fault of an exam, or what a labelled file holds"
        )
    )

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
