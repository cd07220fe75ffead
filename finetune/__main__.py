"""`python -m finetune eda | train | curve | evaluate | export`: fine-tuning's command line; see `finetune.commands`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from data.common.command_line import CommandParser, command_parser, run_command

OF_DATA = ("text_fields", "seed", "extra")  # settings that other options than a training's own give
OF_EVALUATIONS = ("eval_steps", "patience")  # those that a curve decides itself

TRAIN_EXAMPLE = """examples:
  %(prog)s --out checkpoints/distilbert
      DistilBERT on GLUE's MNLI, as downloaded by `datasets`: batch 64, 400 tokens, 3 labels
  %(prog)s --data mnli/ --model minilm --max-length 128 --epochs 2 --out checkpoints/minilm
      the packaged 22M encoder on a folder with train.jsonl and validation_matched.jsonl; needs no network
  %(prog)s --data mnli/ --out checkpoints/cosine --set lr_scheduler_type=cosine
      any field of transformers.TrainingArguments
  %(prog)s tickets.yaml --text-fields text --labels-from runs/teacher/gpt --out checkpoints/student
      the answers of `gpt` to the training items, asked with: python -m eval run tickets.yaml --split train
"""
CURVE_EXAMPLE = """examples:
  %(prog)s --data mnli/ --model minilm --run runs/prompted --out curves/minilm
      how many labelled pairs match each system of the run, measured on the run's items
  %(prog)s --data mnli/ --model minilm --sizes 100,1000 --seeds 3 --out curves/seeds
      three draws of each size; without --run there are no lines
  %(prog)s tickets.yaml --text-fields text --run runs/a --labels-from runs/a/gpt --out curves/gpt
      each size twice: with the items' own labels, and with those of `gpt`
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 (usage, configuration), 3 (something missing), 130 (interrupted)."""
    parser = command_parser("python -m finetune")
    add_commands(parser)
    return run_command(parser, arguments)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of fine-tuning to a parser."""
    parser.description = "Fine-tune an encoder, and look at its data."
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=CommandParser)
    formatter = argparse.RawDescriptionHelpFormatter
    for name, add_options, said, examples in (
        ("eda", _add_eda, "lengths, labels, duplicates, a tokenized example and padding of a split", None),
        ("train", _add_train, "fine-tune an encoder", TRAIN_EXAMPLE),
        (
            "curve",
            _add_curve,
            "accuracy by number of training items, and how many match a run's systems",
            CURVE_EXAMPLE,
        ),
        ("evaluate", _add_evaluate, "measure a checkpoint", None),
        ("export", _add_export, "write a checkpoint to a folder, or as an ONNX model", None),
    ):
        command = subcommands.add_parser(name, help=said, epilog=examples, formatter_class=formatter)
        command.add_options = add_options


def _add_eda(parser: argparse.ArgumentParser) -> None:
    _add_data_options(parser, split="the split to look at (default: the training split)")
    _add_settings(parser, "model", "max_length", "batch_size")
    out = "for plots and JSON (default: %(default)s)"
    parser.add_argument("--out", type=Path, default=Path("runs/eda"), metavar="DIR", help=out)
    parser.set_defaults(function="finetune.commands:eda")


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_data_options(parser, split="the split to learn from (default: the evaluation split's training split)")
    _add_train_options(parser, out="the checkpoint's folder; must not exist, or be empty")
    _add_settings(parser, *OF_EVALUATIONS)
    _add_teacher(parser)
    parser.add_argument("--resume", action="store_true", help="go on with this training where it was interrupted")
    parser.set_defaults(function="finetune.commands:train")


def _add_curve(parser: argparse.ArgumentParser) -> None:
    _add_data_options(parser, split="the split to learn from (default: the evaluation split's training split)")
    add = parser.add_argument
    add("--run", type=Path, metavar="DIR", help="a run of `python -m eval run`: its items, its systems as lines")
    _add_teacher(parser)
    add("--sizes", metavar="A,B,…", help="training items (default: 100, 300, 1000, 3000, … and all)")
    add("--seeds", type=int, default=1, metavar="N", help="draws and trainings of each size (default: 1)")
    steps = "optimizer steps at least; a small size gets more epochs (default: %(default)s)"
    add("--min-steps", type=int, default=150, metavar="N", help=steps)
    add("--keep-checkpoints", action="store_true", help="keep the weights of each training too")
    _add_train_options(parser, out="the curve's folder; one that was interrupted, or gets more sizes or seeds, goes on")
    parser.set_defaults(function="finetune.data_curve.command:curve")


def _add_teacher(parser: argparse.ArgumentParser) -> None:
    said = "learn what a system of a run answered to the items, and how sure it was, in place of their labels"
    parser.add_argument("--labels-from", type=Path, metavar="RUN/SYSTEM", help=said)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", required=True, metavar="DIR", help="a folder that `train` wrote, or a hub id")
    _add_data_options(parser, split="the split to measure on (default: the benchmark's)")
    add("--batch-size", type=int, default=64, metavar="N", help="(default: 64)")
    any_order = "print the metrics even where other label names fit the answers far better"
    add("--any-label-order", action="store_true", help=any_order)
    parser.set_defaults(function="finetune.commands:evaluate")


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--checkpoint", required=True, metavar="DIR", help="a folder that `train` wrote, or a hub id")
    add("--out", type=Path, required=True, metavar="DIR", help="a new folder for it; must not exist, or be empty")
    kinds = "safetensors: a transformers folder; onnx: model.onnx, tokenizer and labels (default: %(default)s)"
    add("--format", choices=("safetensors", "onnx"), default="safetensors", help=kinds)
    _add_output_options(parser)
    parser.set_defaults(function="finetune.commands:export")


def _add_data_options(parser: argparse.ArgumentParser, *, split: str) -> None:
    add = parser.add_argument
    add(
        "benchmark",
        nargs="?",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="a benchmark, a labelled file or its card",
    )
    add("--benchmark", default="mnli", metavar="NAME", help="the same (default: mnli)")
    add("--data", type=Path, metavar="PATH", help="a local file or folder in place of the download")
    add("--skip-bad-rows", action="store_true", help="leave malformed rows of a file out, and say how many")
    add("--split", metavar="S", help=split)
    add("--limit", type=int, metavar="N", help="use N items only, drawn by the seed where one is given")
    add("--seed", type=int, metavar="S", help="the seed of the draw, and of everything random in training")
    _add_settings(parser, "text_fields")
    _add_output_options(parser)


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _add_train_options(parser: argparse.ArgumentParser, *, out: str) -> None:
    from finetune.config import TrainSettings

    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help=out)
    add("--eval-split", metavar="S", help="the split to measure on (default: the benchmark's)")
    add("--eval-data", type=Path, metavar="PATH", help="a local file or folder of it (default: --data)")
    add("--eval-limit", type=int, metavar="N", help="measure on its first N items only")
    _add_settings(parser, *(name for name in TrainSettings.model_fields if name not in (*OF_DATA, *OF_EVALUATIONS)))
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any field of transformers.TrainingArguments")


def _add_settings(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the flags of settings; one that is left out gives None, and so the default of `TrainSettings`."""
    from finetune.config import declared_settings

    for one in map(declared_settings().__getitem__, names):
        if not one.metavar:
            parser.add_argument(one.flag, action="store_true", default=None, help=one.said)
        elif one.choices:
            parser.add_argument(one.flag, choices=one.choices, help=one.said)
        else:
            parser.add_argument(one.flag, metavar=one.metavar, help=one.said)


if __name__ == "__main__":
    sys.exit(main())
