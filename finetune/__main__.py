"""`python -m finetune eda | train | evaluate`: the composition root of fine-tuning.

It wires the benchmarks of `data` and the metrics of `eval` into training. stdout carries only what a command
returns; progress goes to stderr. Everything heavy is imported inside the commands, so that `--help` is quick.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import ConfigurationError, ProjectError

if TYPE_CHECKING:
    from finetune.config import TrainSettings

TRAIN_EXAMPLE = """examples:
  python -m finetune train --out checkpoints/distilbert
      DistilBERT on GLUE's MNLI, as downloaded by `datasets`: batch 64, 400 tokens, 3 labels
  python -m finetune train --data mnli/ --model minilm --max-length 128 --epochs 2 --out checkpoints/minilm
      the packaged 22M encoder on a folder with train.jsonl and validation_matched.jsonl; needs no network
  python -m finetune train --data mnli/ --out checkpoints/cosine --set lr_scheduler_type=cosine
      any field of transformers.TrainingArguments
"""

# The options of `train` that are fields of TrainSettings under the same name.
SETTINGS = (
    *("model", "epochs", "batch_size", "max_length", "learning_rate", "warmup"),
    *("weight_decay", "eval_steps", "logging_steps", "bf16", "seed"),
)
SHORTEST = 4  # tokens of an input: three that the encoder adds to a pair, and one of its text


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 (usage, configuration), 3 (something missing), 130 (interrupted)."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except ProjectError as error:
        if arguments.debug:
            raise
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing was written\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune", description="Fine-tune an encoder, and look at its data."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    formatter = argparse.RawDescriptionHelpFormatter

    eda = commands.add_parser("eda", help="token lengths, labels, genres and duplicates of a split")
    _add_data_options(eda, split="the split to look at (default: the training split)")
    eda.add_argument("--model", default="distilbert-base-uncased", help="whose tokenizer counts (default: %(default)s)")
    eda.add_argument(
        "--max-length", type=int, default=400, metavar="N", help="tokens an input would be cut at (default: 400)"
    )
    eda.add_argument(
        "--out", type=Path, default=Path("runs/eda"), metavar="DIR", help="for plots and JSON (default: %(default)s)"
    )
    eda.set_defaults(command=_eda)

    train = commands.add_parser("train", help="fine-tune an encoder", epilog=TRAIN_EXAMPLE, formatter_class=formatter)
    _add_data_options(train, split="the split to learn from (default: the evaluation split's training split)")
    _add_train_options(train)
    train.set_defaults(command=_train)

    evaluate = commands.add_parser("evaluate", help="measure a checkpoint")
    evaluate.add_argument("--checkpoint", required=True, metavar="DIR", help="a folder that `train` wrote, or a hub id")
    _add_data_options(evaluate, split="the split to measure on (default: the benchmark's)")
    evaluate.add_argument("--batch-size", type=int, default=64, metavar="N", help="(default: 64)")
    evaluate.set_defaults(command=_evaluate)
    return parser


def _add_data_options(parser: argparse.ArgumentParser, *, split: str) -> None:
    parser.add_argument("--benchmark", default="mnli", metavar="NAME", help="(default: mnli)")
    parser.add_argument("--data", type=Path, metavar="PATH", help="a local file or folder in place of the download")
    parser.add_argument("--split", metavar="S", help=split)
    parser.add_argument("--limit", type=int, metavar="N", help="use N items only, drawn by the seed where one is given")
    parser.add_argument("--seed", type=int, metavar="S", help="of the draw, and of everything random in training")
    parser.add_argument("--text-fields", metavar="A[,B]", help="the inputs to read (default: premise,hypothesis)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _add_train_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="the checkpoint's folder; must not exist, or be empty")
    add("--eval-split", metavar="S", help="the split to measure on (default: the benchmark's)")
    add("--eval-data", type=Path, metavar="PATH", help="a local file or folder of it (default: --data)")
    add("--eval-limit", type=int, metavar="N", help="measure on its first N items only")
    add("--model", metavar="M", help="a hub id, a folder, or minilm (default: distilbert-base-uncased)")
    add("--epochs", metavar="N", help="(default: 3)")
    add("--batch-size", metavar="N", help="(default: 64)")
    add("--max-length", metavar="N", help="tokens an input is cut at (default: 400)")
    add("--learning-rate", metavar="X", help="the peak (default: 5e-5)")
    add("--warmup", metavar="X", help="steps, or below 1 a share of them (default: 0.06)")
    add("--weight-decay", metavar="X", help="(default: 0.01)")
    add("--eval-steps", metavar="N", help="steps between evaluations (default: after each epoch)")
    add("--logging-steps", metavar="X", help="steps between logged losses, or a share of them (default: 0.02)")
    add("--bf16", choices=("auto", "on", "off"), help="(default: auto: where the hardware has it)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any field of transformers.TrainingArguments")


def _eda(arguments: argparse.Namespace) -> None:
    from data.registry import fingerprint
    from finetune.eda import describe, format_eda, token_lengths, write_eda
    from finetune.encoders import load_tokenizer

    if arguments.max_length < SHORTEST:
        raise ConfigurationError(f"--max-length {arguments.max_length} is not usable; it must be {SHORTEST} or more")
    labels = _labels(arguments.benchmark)
    fields = _text_fields(arguments) or ("premise", "hypothesis")
    split = arguments.split or _train_split(arguments.benchmark, None)
    items = _load(arguments, split=split, path=arguments.data, limit=arguments.limit, seed=arguments.seed)
    lengths = token_lengths(items, load_tokenizer(arguments.model), text_fields=fields)
    figures = describe(items, lengths, labels=labels, text_fields=fields, max_length=arguments.max_length)
    head = {
        "benchmark": arguments.benchmark,
        "split": split,
        "fingerprint": fingerprint(items),
        "tokenizer": arguments.model,
    }
    write_eda(head | figures, lengths, arguments.out)
    _print(head | figures, format_eda(figures), as_json=arguments.json)
    sys.stderr.write(f"plots and JSON: {arguments.out}\n")


def _train(arguments: argparse.Namespace) -> None:
    settings = _settings(arguments)
    labels = _labels(arguments.benchmark)
    eval_split = arguments.eval_split or _default_split(arguments.benchmark)
    split = arguments.split or _train_split(arguments.benchmark, eval_split)
    # A sample of the training items follows the seed; the evaluation items stay the same whatever the seed.
    train_items = _load(arguments, split=split, path=arguments.data, limit=arguments.limit, seed=settings.seed)
    eval_data = arguments.eval_data or arguments.data
    eval_items = _load(arguments, split=eval_split, path=eval_data, limit=arguments.eval_limit, seed=None)

    from eval.metrics import classification_metrics
    from finetune.card import read_card
    from finetune.train import train

    out = train(
        settings,
        train_items=train_items,
        eval_items=eval_items,
        compute_metrics=classification_metrics,
        out=arguments.out,
        labels=labels,
    )
    card = read_card(out) or {}
    table = _metric_table({"before": card["metrics"]["initial"], "after": card["metrics"]["final"]})
    learnt = card["data"]["train"]["n"]
    _print(card, f"{table}\n\n{learnt} items, {card['wall_s']:.0f} s: {out}", as_json=arguments.json)


def _settings(arguments: argparse.Namespace) -> "TrainSettings":
    from finetune.config import make_settings, parse_overrides

    given = {name: getattr(arguments, name) for name in SETTINGS if getattr(arguments, name) is not None}
    fields = {"text_fields": chosen} if (chosen := _text_fields(arguments)) else {}
    return make_settings(given | fields | {"extra": parse_overrides(arguments.set)})


def _evaluate(arguments: argparse.Namespace) -> None:
    labels, fields = _labels(arguments.benchmark), _text_fields(arguments)
    split = arguments.split or _default_split(arguments.benchmark)
    items = _load(arguments, split=split, path=arguments.data, limit=arguments.limit, seed=arguments.seed)

    import numpy as np

    from data.registry import fingerprint
    from eval.metrics import classification_metrics
    from finetune.classifier import load_classifier
    from finetune.features import label_ids

    targets = label_ids(items, labels)
    classifier = load_classifier(arguments.checkpoint, labels=labels, batch_size=arguments.batch_size)
    if fields:
        classifier = classifier.model_copy(update={"text_fields": fields})
    started = time.perf_counter()
    predictions = classifier.batch([item.to_input() for item in items])
    wall_s = time.perf_counter() - started
    metrics = classification_metrics(targets, np.array([prediction.probs for prediction in predictions]))
    figures = {
        "checkpoint": arguments.checkpoint,
        "benchmark": arguments.benchmark,
        "split": split,
        "n": len(items),
        "fingerprint": fingerprint(items),
        "metrics": metrics,
        "wall_s": round(wall_s, 3),
    }
    _print(
        figures, f"{_metric_table({'value': metrics})}\n\n{len(items)} items, {wall_s:.1f} s", as_json=arguments.json
    )


def _load(arguments: argparse.Namespace, *, split: str, path: Path | None, limit: int | None, seed: int | None) -> Any:
    from data.registry import load_items

    return load_items(arguments.benchmark, split=split, path=path, limit=limit, seed=seed)


def _labels(benchmark_name: str) -> tuple[str, ...]:
    from data.registry import benchmark

    labels = benchmark(benchmark_name).labels
    if labels is None:
        raise ConfigurationError(
            f"the items of '{benchmark_name}' have choices of their own, not labels a classifier can learn; use mnli"
        )
    return labels


def _default_split(benchmark_name: str) -> str:
    from data.registry import benchmark

    return benchmark(benchmark_name).default_split


def _train_split(benchmark_name: str, eval_split: str | None) -> str:
    from data.registry import benchmark

    found = benchmark(benchmark_name)
    split = found.train_splits.get(eval_split or found.default_split)
    if split is None:
        raise ConfigurationError(
            f"'{benchmark_name}' names no training split for '{eval_split}'; name one with --split"
        )
    return split


def _text_fields(arguments: argparse.Namespace) -> tuple[str, ...] | None:
    if arguments.text_fields is None:
        return None
    names = tuple(name.strip() for name in arguments.text_fields.split(","))
    if len(names) > 2 or "" in names or len(set(names)) != len(names):
        raise ConfigurationError(
            f"--text-fields '{arguments.text_fields}': name one input, or two different ones as A,B"
        )
    return names


def _metric_table(columns: Mapping[str, Mapping[str, float | None]]) -> str:
    lines = [f"{'metric':<12}" + "".join(f"{name:>10}" for name in columns)]
    for metric in next(iter(columns.values())):
        values = (column.get(metric) for column in columns.values())
        lines.append(f"{metric:<12}" + "".join(f"{'–' if v is None else format(v, '.4f'):>10}" for v in values))
    return "\n".join(lines)


def _print(figures: Mapping[str, Any], table: str, *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(figures, ensure_ascii=False) if as_json else table) + "\n")


if __name__ == "__main__":
    sys.exit(main())
