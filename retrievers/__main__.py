"""`python -m retrievers index | search`: look at what a retriever finds; see `retrievers.commands`.

Standard output carries the index's place or the hits; messages go to standard error. Exit codes: 0 done, something
found or not; 2 usage or configuration; 3 a missing file, model or key; 130 interrupted. Nothing heavy is imported here,
so that `--help` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.common.command_line import ONE_THREAD_TOKENIZERS, command_parser, run_command

EXAMPLES = """examples:
  %(prog)s search passages.jsonl "등대가 있는 바다"
  %(prog)s index passages.jsonl --out my-index
  %(prog)s search my-index "등대가 있는 바다" -k 10 --retriever hybrid
"""
SOURCE = (
    'a .jsonl of {"id": …, "text": …}, a .txt, a KICE exam or KorQuAD as .json, or a folder of .txt files or of exams'
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = command_parser("python -m retrievers")
    add_commands(parser)
    return run_command(parser, arguments)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of looking passages up to a parser."""
    parser.description, parser.epilog = "Index passages, and look at what a query finds in them.", EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(interrupted="interrupted; what was analysed so far is kept", environment=ONE_THREAD_TOKENIZERS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    kinds = "bm25, dense, hybrid …, any with steps such as hybrid+mmr, or module:attr of your own (default: bm25)"
    common.add_argument("--retriever", default="bm25", metavar="R", help=kinds)
    common.add_argument("--embeddings", metavar="E", help="for dense and hybrid; default: e5-small")
    words = "words that Kiwi is to know, a line each: WORD, or WORD, TAG and SCORE apart by tabs; an index keeps them"
    common.add_argument("--user-words", type=Path, metavar="FILE", help=words)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    index = commands.add_parser("index", parents=[common], help="index passages; only new ones are analysed")
    index.add_argument("path", type=Path, metavar="PATH", help=SOURCE)
    out = "the index's folder, new or to be brought up to date (default: one in the project's cache)"
    index.add_argument("--out", type=Path, metavar="DIR", help=out)
    index.set_defaults(function="retrievers.commands:index")

    search = commands.add_parser("search", parents=[common], help="show a query's hits with scores and matched words")
    search.add_argument("path", type=Path, metavar="DIR|PATH", help=f"an index, or what to index: {SOURCE}")
    search.add_argument("query", metavar="QUERY")
    search.add_argument("-k", type=int, default=5, metavar="N", help="most hits (default: 5)")
    search.set_defaults(function="retrievers.commands:search")


if __name__ == "__main__":
    sys.exit(main())
