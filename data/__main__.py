"""`python -m data`: fetch the published exams, check an exam or a labelled file, list what there is.

stdout carries paths, faults or the list (with --json one object); what is going on goes to stderr. Exit codes:
0 done; 2 usage, configuration, or faults for which `eval run` refuses the exam; 3 data that is not there; 130
interrupted (a fetch resumes). What the commands do is in `data.commands` and `data.check_command`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.card_options import TASK
from data.common.command_line import command_parser, run_command
from data.common.options import add_options

FILE = (
    "an exam (JSON of KICE_slayer_AI_Korean), a labelled file, a folder with train and test, a card, or "
    "hf:ORG/NAME[:CONFIG][@REVISION]"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = command_parser("python -m data")
    add_commands(parser)
    return run_command(parser, arguments)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of the data to a parser."""
    parser.description = "Fetch, check and list the data that is asked."
    parser.set_defaults(interrupted="interrupted; run it again to resume")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    fetching = commands.add_parser("fetch", parents=[common], help="fetch published exams, checked by SHA-256")
    fetching.add_argument("name", metavar="NAME", help="kice for all years, or one of kice-2015 to kice-2024")
    where = "folder to put them in (default: data/ of a checkout; the cache, where the project is installed)"
    fetching.add_argument("--to", metavar="DIR", type=Path, help=where)
    fetching.set_defaults(function="data.commands:fetch_exams")

    said = "list every fault of an exam, or what a labelled file holds"
    _add_check(commands.add_parser("check", parents=[common], help=said))

    listing = commands.add_parser("list", parents=[common], help="list benchmarks, their splits, and retrieval sets")
    listing.set_defaults(function="data.commands:list_data")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=FILE)
    parser.add_argument("--card", type=Path, metavar="CARD", help="where the card is written; default: beside the file")
    models = "chat models whose price for asking the items is said; default: those of the price table"
    parser.add_argument("--model", nargs="+", action="extend", default=[], metavar="SPEC", help=models)
    add_options(parser.add_argument_group("a labelled file: what is not said is guessed, and printed"), TASK)
    parser.set_defaults(function="data.check_command:check")


if __name__ == "__main__":
    sys.exit(main())
