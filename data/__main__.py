"""`python -m data`: fetch the published exams, check an exam file, list what there is.

stdout carries paths, faults or the list; what is going on goes to stderr. Exit codes: 0 done; 2 usage,
configuration or faults found; 3 data that is not there; 130 interrupted (a fetch resumes).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.check import exam_summary, faults
from data.download import NAMES, fetch
from data.errors import ProjectError
from data.kice import DATA_DIR, YEARS, exam_path
from data.registry import BENCHMARKS, RETRIEVAL_SETS, benchmark

FAULTS_FOUND = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        return code
    except ProjectError as error:
        if arguments.debug:
            raise
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run it again to resume\n")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description="Fetch, check and list the data that is asked.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    fetching = commands.add_parser("fetch", help="fetch published exams, checked by SHA-256")
    fetching.add_argument("name", metavar="NAME", help=f"kice for all years, or one of {NAMES[1]} to {NAMES[-1]}")
    fetching.add_argument(
        "--to", metavar="DIR", type=Path, default=DATA_DIR, help="folder to put them in (default: data)"
    )
    fetching.set_defaults(command=_fetch)

    checking = commands.add_parser("check", help="list every fault of an exam file")
    checking.add_argument(
        "file", metavar="FILE", type=Path, help="an exam as JSON, in the format of KICE_slayer_AI_Korean"
    )
    checking.set_defaults(command=_check)

    listing = commands.add_parser("list", help="list benchmarks, their splits, and retrieval sets")
    listing.set_defaults(command=_list)
    return parser


def _fetch(arguments: argparse.Namespace) -> int:
    for path in fetch(arguments.name, arguments.to):
        sys.stdout.write(f"{path}\n")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    found = faults(arguments.file)
    if found:
        sys.stdout.writelines(f"{fault}\n" for fault in found)
        sys.stderr.write(f"{arguments.file}: {len(found)} fault{'s' if len(found) > 1 else ''}\n")
        return FAULTS_FOUND
    sys.stdout.write(f"{arguments.file}: no faults in {exam_summary(arguments.file)}\n")
    return 0


def _list(_: argparse.Namespace) -> int:
    for name in BENCHMARKS:
        metadata = benchmark(name)
        sys.stdout.write(f"benchmark {name}: {metadata.title}\n")
        sys.stdout.write(f"  splits: {', '.join(metadata.splits)} (default {metadata.default_split})\n")
        sys.stdout.write(f"  source: {metadata.source}\n  licence: {metadata.licence}\n")
    fetched = [year for year in YEARS if exam_path(year).is_file()]
    sys.stdout.write(f"exams fetched: {', '.join(fetched) or 'none (python -m data fetch kice-2023)'}\n")
    sys.stdout.write(f"retrieval sets: {', '.join(RETRIEVAL_SETS)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
