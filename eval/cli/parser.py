"""The command line: what can be said, and how a command ends. `COMMANDS` says what each command is.

Standard output carries only what the command returns; progress and messages go to standard error. Exit codes:
0 complete; 1 item errors; 2 usage or configuration; 3 a missing key, checkpoint, model or dataset; 4 batches are
being worked on; 130 interrupted.
This module imports nothing heavy, so that `--help` answers at once.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import NamedTuple

from data.common.command_line import ONE_THREAD_TOKENIZERS, CommandParser, command_parser, run_command
from data.common.language import LANGUAGES
from eval.cli import flags

EXAMPLES = """examples:
  %(prog)s decide tickets.csv --model gpt --max-cost 2
  %(prog)s run demo
  %(prog)s run kice --chain kice-rag --model gpt --retriever hybrid -k 4
  %(prog)s run mnli --split validation_matched --limit 500 --chain mnli-zero-shot --model qwen
  %(prog)s compare runs/demo
"""


class Command(NamedTuple):
    """One command.

    Attributes:
        function: Where its function is; it is imported once the command is run.
        about: What it does, in one line.
        add_flags: Gives its parser its arguments.
        in_words: Whether it says sentences, in the language of `--lang`.
    """

    function: str
    about: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    in_words: bool = True


COMMANDS = {
    "list": Command("commands:list_names", "what there is to name", flags.add_list, in_words=False),
    "run": Command("commands:run", "ask systems a benchmark's items", flags.add_run),
    "decide": Command("decide:decide", "a labelled file in, a verdict out: which to take", flags.add_decide),
    "audit": Command("audit:audit", "labels of a file that are doubtful", flags.add_audit),
    "prompts": Command(
        "prompts:prompts", "try wordings and examples on training items, and test the best once", flags.add_prompts
    ),
    "merge": Command(
        "commands:merge", "join the shards of a run into one, as one machine would have made it", flags.add_merge
    ),
    "label": Command("label:label", "label rows that nobody has labelled", flags.add_label),
    "rescore": Command("commands:rescore", "extract and score again; no model is called", flags.add_rescore),
    "import": Command(
        "commands:import_recorded",
        "make a run of replies recorded elsewhere, or of other tools' logs",
        flags.add_import,
    ),
    "compare": Command("commands:compare", "paired differences of systems or of two runs", flags.add_compare),
    "report": Command("commands:report", "write a run's reports again, or print one", flags.add_report),
    "show": Command(
        "commands:show", "all about one item, or where two systems disagree", flags.add_show, in_words=False
    ),
    "langsmith": Command(
        "langsmith:langsmith", "show a finished run in LangSmith", flags.add_langsmith, in_words=False
    ),
    "mlflow": Command("mlflow:mlflow", "show a finished run in MLflow", flags.add_mlflow, in_words=False),
    "calibrate": Command(
        "calibrate:calibrate", "probabilities after temperature scaling", flags.add_calibrate, in_words=False
    ),
    "cache": Command("cache:cache", "what the response cache of --cache holds", flags.add_cache, in_words=False),
    "retrieval": Command(
        "commands:retrieval", "recall@k, MRR@k and nDCG@k of retrievers", flags.add_retrieval, in_words=False
    ),
}
# The other packages' command lines, which `tune-or-prompt` has beside eval's commands.
OTHERS = {
    "data": "fetch, check and list the data that is asked",
    "finetune": "fine-tune an encoder, and look at its data",
    "retrievers": "index passages, and look at what a query finds in them",
}


def main(arguments: Sequence[str] | None = None, *, installed: bool = False) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: Those of the process where None.
        installed: See `parser`.
    """
    return run_command(parser(installed=installed), arguments)


def parser(*, installed: bool = False) -> CommandParser:
    """Build the parser of the whole command line.

    Args:
        installed: Build that of `tune-or-prompt`, which has the command lines of the other packages too.
    """
    top = command_parser("tune-or-prompt" if installed else "python -m eval")
    top.description = "Fine-tune, prompt or retrieve? Run systems over the same items and compare them."
    top.epilog = EXAMPLES
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=CommandParser)
    _add_commands(commands)
    for name, about in OTHERS.items() if installed else ():
        commands.add_parser(name, help=about).add_options = partial(_add_package, name)
    return top


def _add_package(name: str, command: argparse.ArgumentParser) -> None:
    import_module(f"{name}.__main__").add_commands(command)


def _add_commands(commands: "argparse._SubParsersAction[CommandParser]") -> None:
    common = CommandParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    in_words = CommandParser(add_help=False)
    in_words.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the sentences and headings")
    for name, command in COMMANDS.items():
        parents = [common, in_words] if command.in_words else [common]
        command.add_flags(made := commands.add_parser(name, parents=parents, help=command.about))
        made.set_defaults(function=f"eval.cli.{command.function}", environment=ONE_THREAD_TOKENIZERS)
