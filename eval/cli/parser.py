"""The command line: what can be said, and how a command ends. What each command does is in `eval.cli.commands`.

Standard output carries only what the command returns; progress and messages go to standard error. Exit codes:
0 complete; 1 item errors; 2 usage or configuration; 3 a missing key, checkpoint, model or dataset; 130 interrupted.
This module imports nothing heavy, so that `--help` answers at once.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from data.common.command_line import run_command
from data.common.language import LANGUAGES
from eval.cli.call_options import add_call_options

EXAMPLES = """examples:
  python -m eval run demo
  python -m eval run kice --chain kice-rag --model gpt --retriever hybrid -k 4
  python -m eval run mnli --split validation_matched --limit 500 --chain mnli-zero-shot --model qwen
  python -m eval compare runs/demo
"""
USER_WORDS = "words that BM25 is to know: a line each, WORD or WORD, TAG and SCORE apart by tabs"
SKIP_BAD_ROWS = "leave malformed rows of --data out, and say how many"


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="python -m eval",
        description="Fine-tune, prompt or retrieve? Run systems over the same items and compare them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    told = argparse.ArgumentParser(add_help=False)
    told.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the sentences and headings")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")

    listing = commands.add_parser("list", parents=[common], help="what there is to name")
    kinds = ["benchmarks", "chains", "models", "prompts", "retrievers", "suites", "systems"]
    listing.add_argument("kind", nargs="?", choices=kinds, help="one kind only")

    _add_run(commands.add_parser("run", parents=[common, told], help="ask systems a benchmark's items"))

    rescore = commands.add_parser("rescore", parents=[common, told], help="extract and score again; no model is called")
    rescore.add_argument("run", type=Path, metavar="RUN")

    _add_import(commands.add_parser("import", parents=[common, told], help="make a run of replies recorded elsewhere"))

    compare = commands.add_parser(
        "compare", parents=[common, told], help="paired differences of systems or of two runs"
    )
    compare.add_argument("run", type=Path, metavar="RUN")
    compare.add_argument("other", type=Path, nargs="?", metavar="RUN", help="another run of the same items")

    report = commands.add_parser("report", parents=[common, told], help="write a run's reports again, or print one")
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    forms = "what to print; csv is every answer, a row for each item and system, and writes nothing again"
    report.add_argument("--format", choices=["text", "md", "html", "json", "csv"], default="text", help=forms)

    show = commands.add_parser("show", parents=[common], help="everything about one item, for every system")
    show.add_argument("run", type=Path, metavar="RUN")
    show.add_argument("item", metavar="ITEM")

    calibrate = commands.add_parser("calibrate", parents=[common], help="probabilities after temperature scaling")
    calibrate.add_argument("run", type=Path, metavar="RUN")
    other = "a run of the same systems over other items, to fit the temperatures on"
    calibrate.add_argument("--fit", type=Path, required=True, metavar="FIT_RUN", help=other)

    cache = commands.add_parser("cache", parents=[common], help="what the response cache of --cache holds")
    cache.add_argument("action", choices=["stats", "clear"], help="count the replies, or remove them all")

    _add_retrieval(commands.add_parser("retrieval", parents=[common], help="recall@k, MRR@k and nDCG@k of retrievers"))
    return top


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("target", metavar="SUITE|BENCHMARK", help="a suite, a suite's YAML file, or a benchmark")
    system = run.add_argument_group("the system, for a benchmark (one of --chain, --checkpoint, --baseline)")
    system.add_argument("--chain", metavar="C")
    system.add_argument("--model", metavar="SPEC", help="such as smollm2, gpt, hf:DIR, endpoint:NAME@URL")
    system.add_argument("--prompt", metavar="P", help="a prompt's id or a YAML file")
    answering = ["auto", "score", "score-mean", "score-pmi", "logprobs", "generate"]
    ways = "score labels (by their mean per token, or beyond what they are without the prompt), or read generated text"
    ways += " (logprobs: and ask the provider how likely each label was)"
    system.add_argument("--answering", choices=answering, help=ways)
    beyond = "a prompt beyond a local model's context: an error (default), or its passage is shortened"
    system.add_argument("--too-long", choices=["error", "truncate-passage"], help=beyond)
    rotated = "ask once for each rotation of the choices, and take the majority"
    system.add_argument("--permute", choices=["cyclic"], help=rotated)
    system.add_argument("--votes", type=int, metavar="K", help="sample K replies, and take the majority")
    system.add_argument("--temperature", type=float, metavar="T")
    system.add_argument("--max-tokens", type=int, metavar="N", help="longest reply; default: what the prompt needs")
    fields = "fields of what the model is sent, over all others: seed=- leaves one out; the same in suites as a mapping"
    system.add_argument("--request", nargs="+", action="extend", metavar="NAME=VALUE", help=fields)
    steps = "bm25, dense, hybrid …, with steps such as hybrid+rerank, or your own as module:attr"
    system.add_argument("--retriever", metavar="R", help=steps)
    system.add_argument("--embeddings", metavar="E", help="for dense and hybrid; default: e5-small")
    system.add_argument("-k", type=int, metavar="K", help="chunks to retrieve; default: 4")
    system.add_argument("--user-words", type=Path, metavar="FILE", help=USER_WORDS)
    system.add_argument("--checkpoint", metavar="DIR", help="a fine-tuned encoder's folder or hub name")
    any_order = "report a checkpoint even where other label names fit its answers far better"
    system.add_argument("--any-label-order", action="store_true", default=None, help=any_order)
    system.add_argument("--baseline", metavar="B")
    _add_items_and_ends(run)
    add_call_options(run)


def _add_items_and_ends(run: argparse.ArgumentParser) -> None:
    items = run.add_argument_group("the items")
    items.add_argument("--split", metavar="S")
    items.add_argument("--data", type=Path, metavar="PATH", help="read the items from a file or folder of yours")
    items.add_argument("--skip-bad-rows", action="store_true", default=None, help=SKIP_BAD_ROWS)
    items.add_argument("--limit", type=int, metavar="N", help="the first N items of each benchmark")
    items.add_argument("--train-split", metavar="S", help="what systems that learn may learn from")
    going = run.add_argument_group("the run")
    going.add_argument("--seed", type=int, metavar="S")
    going.add_argument("--max-concurrency", type=int, default=8, metavar="C", help="calls in flight; default: 8")
    failed = "stop when more than N items, or N%% of them, have failed"
    going.add_argument("--max-errors", metavar="N|N%", help=failed)
    where = going.add_mutually_exclusive_group()
    where.add_argument("--out", type=Path, metavar="DIR", help="default: runs/NAME, then runs/NAME-2 …")
    where.add_argument("--resume", type=Path, metavar="DIR", help="ask only what is missing or failed")
    again = "with --resume, ask again what failed (default), or leave it"
    going.add_argument("--retry-errors", action=argparse.BooleanOptionalAction, default=True, help=again)
    going.add_argument("--dry-run", action="store_true", help="print the first prompt, tokens and cost; call nothing")


def _add_import(recorded: argparse.ArgumentParser) -> None:
    rows = 'a system each: rows of {"id": ITEM, "output": TEXT} as .jsonl, .json or .tsv; its name is the system\'s. '
    rows += 'An output of null is a reply without text. Where known also "finish_reason" ("length": cut off), '
    rows += '"reasoning", "prompt" (numbers of labels are read only where it numbers them), "input_tokens", '
    rows += '"output_tokens", "latency_s"'
    recorded.add_argument("files", type=Path, nargs="+", metavar="FILE", help=rows)
    recorded.add_argument("--benchmark", required=True, metavar="B", help="whose items were asked")
    recorded.add_argument("--split", metavar="S")
    recorded.add_argument("--data", type=Path, metavar="PATH", help="where the items are")
    recorded.add_argument("--skip-bad-rows", action="store_true", help=SKIP_BAD_ROWS)
    recorded.add_argument("--out", type=Path, metavar="DIR", help="default: runs/BENCHMARK.imported")


def _add_retrieval(retrieval: argparse.ArgumentParser) -> None:
    retrieval.add_argument(
        "name", metavar="NAME", help="korquad, kice (queries with choices), kice-question (without) or jsonl"
    )
    retrieval.add_argument(
        "--retriever", required=True, nargs="+", metavar="R", help="such as hybrid+rerank; several are compared"
    )
    retrieval.add_argument("--embeddings", metavar="E")
    retrieval.add_argument("--user-words", type=Path, metavar="FILE", help=USER_WORDS)
    chunked = "search chunks of passages, or whole ones (default: chunks for kice)"
    retrieval.add_argument("--chunk", action=argparse.BooleanOptionalAction, help=chunked)
    retrieval.add_argument("-k", type=int, default=10, metavar="K")
    retrieval.add_argument("--data", type=Path, metavar="PATH", help="the file or folder of the set")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return run_command(parser(), arguments, _run)


def _run(options: argparse.Namespace) -> int:
    from eval.cli import commands

    return commands.COMMANDS[options.command](options)
