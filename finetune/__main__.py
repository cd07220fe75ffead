"""`python -m finetune eda | train | curve | evaluate | export`: fine-tuning's command line; see `finetune.commands`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.common.command_line import run_command
from finetune import commands
from finetune.data_curve import command as curve_command

TRAIN_EXAMPLE = """examples:
  python -m finetune train --out checkpoints/distilbert
      DistilBERT on GLUE's MNLI, as downloaded by `datasets`: batch 64, 400 tokens, 3 labels
  python -m finetune train --data mnli/ --model minilm --max-length 128 --epochs 2 --out checkpoints/minilm
      the packaged 22M encoder on a folder with train.jsonl and validation_matched.jsonl; needs no network
  python -m finetune train --data mnli/ --out checkpoints/cosine --set lr_scheduler_type=cosine
      any field of transformers.TrainingArguments
"""
CURVE_EXAMPLE = """examples:
  python -m finetune curve --data mnli/ --model minilm --run runs/prompted --out curves/minilm
      how many labelled pairs match each system of the run, measured on the run's items
  python -m finetune curve --data mnli/ --model minilm --sizes 100,1000 --seeds 3 --out curves/seeds
      three draws of each size; without --run there are no lines
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 (usage, configuration), 3 (something missing), 130 (interrupted)."""
    return run_command(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    arguments.command(arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune", description="Fine-tune an encoder, and look at its data."
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    formatter = argparse.RawDescriptionHelpFormatter

    eda = subcommands.add_parser("eda", help="token lengths, labels, genres and duplicates of a split")
    _add_data_options(eda, split="the split to look at (default: the training split)")
    eda.add_argument("--model", default="distilbert-base-uncased", help="whose tokenizer counts (default: %(default)s)")
    eda.add_argument(
        "--max-length", type=int, default=400, metavar="N", help="tokens an input would be cut at (default: 400)"
    )
    eda.add_argument(
        "--out", type=Path, default=Path("runs/eda"), metavar="DIR", help="for plots and JSON (default: %(default)s)"
    )
    eda.set_defaults(command=commands.eda)

    train = subcommands.add_parser(
        "train", help="fine-tune an encoder", epilog=TRAIN_EXAMPLE, formatter_class=formatter
    )
    _add_data_options(train, split="the split to learn from (default: the evaluation split's training split)")
    _add_train_options(train, out="the checkpoint's folder; must not exist, or be empty")
    train.add_argument("--eval-steps", metavar="N", help="steps between evaluations (default: after each epoch)")
    stop = "stop after N evaluations without a better accuracy on held-out training items; keep the best (default: off)"
    train.add_argument("--patience", metavar="N", help=stop)
    train.add_argument("--resume", action="store_true", help="go on with this training where it was interrupted")
    train.set_defaults(command=commands.train)

    _add_curve(subcommands)

    evaluate = subcommands.add_parser("evaluate", help="measure a checkpoint")
    evaluate.add_argument("--checkpoint", required=True, metavar="DIR", help="a folder that `train` wrote, or a hub id")
    _add_data_options(evaluate, split="the split to measure on (default: the benchmark's)")
    evaluate.add_argument("--batch-size", type=int, default=64, metavar="N", help="(default: 64)")
    any_order = "print the metrics even where other label names fit the answers far better"
    evaluate.add_argument("--any-label-order", action="store_true", help=any_order)
    evaluate.set_defaults(command=commands.evaluate)

    _add_export(subcommands)
    return parser


def _add_curve(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subcommands.add_parser(
        "curve",
        help="accuracy by number of training items, and how many match a run's systems",
        epilog=CURVE_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_data_options(parser, split="the split to learn from (default: the evaluation split's training split)")
    add = parser.add_argument
    add("--run", type=Path, metavar="DIR", help="a run of `python -m eval run`: its items, its systems as lines")
    add("--sizes", metavar="A,B,…", help="training items (default: 100, 300, 1000, 3000, … and all)")
    add("--seeds", type=int, default=1, metavar="N", help="draws and trainings of each size (default: 1)")
    steps = "optimizer steps at least; a small size gets more epochs (default: %(default)s)"
    add("--min-steps", type=int, default=150, metavar="N", help=steps)
    add("--keep-checkpoints", action="store_true", help="keep the weights of each training too")
    _add_train_options(parser, out="the curve's folder; one that was interrupted, or gets more sizes or seeds, goes on")
    parser.set_defaults(command=curve_command.curve, eval_steps=None, patience=None)


def _add_export(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = subcommands.add_parser("export", help="write a checkpoint to a folder, or as an ONNX model")
    add = export.add_argument
    add("--checkpoint", required=True, metavar="DIR", help="a folder that `train` wrote, or a hub id")
    add("--out", type=Path, required=True, metavar="DIR", help="a new folder for it; must not exist, or be empty")
    kinds = "safetensors: a transformers folder; onnx: model.onnx, tokenizer and labels (default: %(default)s)"
    add("--format", choices=("safetensors", "onnx"), default="safetensors", help=kinds)
    add("--json", action="store_true", help="print one JSON object instead of a table")
    add("--debug", action="store_true", help="show the traceback of an error")
    export.set_defaults(command=commands.export)


def _add_data_options(parser: argparse.ArgumentParser, *, split: str) -> None:
    parser.add_argument("--benchmark", default="mnli", metavar="NAME", help="(default: mnli)")
    parser.add_argument("--data", type=Path, metavar="PATH", help="a local file or folder in place of the download")
    parser.add_argument(
        "--skip-bad-rows", action="store_true", help="leave malformed rows of a file out, and say how many"
    )
    parser.add_argument("--split", metavar="S", help=split)
    parser.add_argument("--limit", type=int, metavar="N", help="use N items only, drawn by the seed where one is given")
    parser.add_argument("--seed", type=int, metavar="S", help="of the draw, and of everything random in training")
    parser.add_argument("--text-fields", metavar="A[,B]", help="the inputs to read (default: premise,hypothesis)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _add_train_options(parser: argparse.ArgumentParser, *, out: str) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help=out)
    add("--eval-split", metavar="S", help="the split to measure on (default: the benchmark's)")
    add("--eval-data", type=Path, metavar="PATH", help="a local file or folder of it (default: --data)")
    add("--eval-limit", type=int, metavar="N", help="measure on its first N items only")
    add("--model", metavar="M", help="a hub id, a folder, or minilm (default: distilbert-base-uncased)")
    other = "train on from a classifier of another task, with a new head for these labels"
    add("--replace-head", action="store_true", default=None, help=other)
    add("--pooling", choices=("cls", "mean", "max", "pair"), help="what of the encoder the head reads (default: cls)")
    frozen = "leave the encoder's embeddings as they are: less to compute, and less to overfit with"
    add("--freeze-embeddings", action="store_true", default=None, help=frozen)
    add("--dropout", metavar="X", help="while training (default: as the encoder's configuration says)")
    add("--epochs", metavar="N", help="(default: 3)")
    add("--batch-size", metavar="N", help="items per optimizer step, over all devices (default: 64)")
    parts = "parts that a device computes its share of a batch in, to save memory (default: 1)"
    add("--gradient-accumulation-steps", metavar="N", help=parts)
    add("--max-length", metavar="N", help="tokens an input is cut at (default: 400)")
    add("--learning-rate", metavar="X", help="the peak (default: 5e-5)")
    add("--warmup", metavar="X", help="steps, or below 1 a share of them (default: 0.06)")
    add("--weight-decay", metavar="X", help="(default: 0.01)")
    add("--logging-steps", metavar="X", help="steps between logged losses, or a share of them (default: 0.02)")
    add("--save-steps", metavar="X", help="steps between saved states, or a share of them (default: 0.1)")
    add("--bf16", choices=("auto", "on", "off"), help="(default: auto: where the hardware has it)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any field of transformers.TrainingArguments")


if __name__ == "__main__":
    sys.exit(main())
