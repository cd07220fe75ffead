"""What each command of `python -m finetune` does: wires benchmarks and metrics into training, and prints the outcome.

The composition root of fine-tuning: no other module here imports `eval`. stdout carries only what a
command returns; progress goes to stderr. Everything heavy is imported inside the commands, so that `--help` is quick.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.common.errors import ConfigurationError
from data.common.parsing import JsonObject
from data.common.terminal import emit, emit_json_text, say
from data.types import Item

if TYPE_CHECKING:
    import numpy as np

    from finetune.config import TrainSettings
    from finetune.teacher import Taught


def eda(arguments: argparse.Namespace) -> None:
    from data.registry import fingerprint
    from eval.measures.stats import share_interval
    from finetune.eda import describe, format_eda, token_lengths, write_eda
    from finetune.encoders import load_tokenizer
    from finetune.padding import draw_padding, format_inputs, padding_figures, tokenized_example

    settings, labels = train_settings(arguments), labels_of(arguments.benchmark)
    fields = settings.text_fields
    split = arguments.split or train_split(arguments.benchmark, None)
    items = _load(arguments, split=split, path=arguments.data, limit=arguments.limit, seed=arguments.seed)
    tokenizer, cut = load_tokenizer(settings.model), settings.max_length
    lengths = token_lengths(items, tokenizer, text_fields=fields)
    figures = describe(items, lengths, labels=labels, text_fields=fields, max_length=cut, interval=share_interval)
    whole = list(lengths.values())[-1]
    example = tokenized_example(items, whole, tokenizer, text_fields=fields, max_length=cut)
    padding = padding_figures(whole, max_length=cut, batch_size=settings.batch_size, seed=settings.seed)
    head = {
        "benchmark": arguments.benchmark,
        "split": split,
        "fingerprint": fingerprint(items),
        "tokenizer": settings.model,
    }
    figures = head | figures | {"example": example, "padding": padding}
    write_eda(figures, lengths, arguments.out)
    draw_padding(padding, arguments.out)
    table = "\n\n".join([format_eda(figures), format_inputs(example, padding)])
    print_outcome(figures, table, as_json=arguments.json)
    say(f"plots and JSON: {arguments.out}")


def train(arguments: argparse.Namespace) -> None:
    settings = train_settings(arguments)
    labels = labels_of(arguments.benchmark)
    eval_split = arguments.eval_split or default_split(arguments.benchmark)
    split = arguments.split or train_split(arguments.benchmark, eval_split)
    # A sample of the training items follows the seed; the evaluation items stay the same whatever the seed.
    train_items = _load(arguments, split=split, path=arguments.data, limit=arguments.limit, seed=settings.seed)
    eval_data = arguments.eval_data or arguments.data
    eval_items = _load(arguments, split=eval_split, path=eval_data, limit=arguments.eval_limit, seed=None)

    from data.splits import hold_out
    from eval.measures.metrics import classification_metrics
    from finetune.arguments import is_main_process
    from finetune.train import train

    teacher = taught_by(arguments.labels_from, train_items) if arguments.labels_from else None
    train_items = teacher.items if teacher else train_items

    # Early stopping picks a model, so it looks at items that are neither learnt from nor reported.
    learnt, held_out = hold_out(train_items, seed=settings.seed) if settings.patience else (train_items, ())
    train(
        settings,
        train_items=learnt,
        eval_items=eval_items,
        held_out=held_out,
        compute_metrics=classification_metrics,
        report=_report,
        out=arguments.out,
        labels=labels,
        teacher=teacher,
        resume=arguments.resume,
    )
    if is_main_process():
        _print_card(arguments)


def taught_by(path: Path, items: Sequence[Item]) -> "Taught":
    """Return items with the answers of a run's system as their labels, and say what is left out.

    Raises:
        ConfigurationError: The system is not there, or answered none of the items.
        MissingResourceError: There is no such run.
    """
    from eval.measures.teacher_answers import known_beforehand, read_teacher
    from finetune.arguments import is_main_process
    from finetune.teacher import left_out_sentence, taught

    teacher = read_teacher(path)
    found = taught(items, teacher.records(), teacher=str(path))
    if is_main_process():
        agreed = found.as_labelled / len(found.items)
        say(f"{left_out_sentence(found)}; {agreed:.1%} of its labels are the items' own, which are not learnt")
        if doubt := known_beforehand(str(path), teacher.description):
            say(doubt)
    return found


def _report(items: Sequence[Item], probs: "np.ndarray", labels: Sequence[str]) -> JsonObject:
    from eval.measures.classification import classification_report

    return classification_report(items, probs, labels=labels)


def _print_card(arguments: argparse.Namespace) -> None:
    """Print what a training came to; last, so that nothing is lost, say where its labels look misnumbered."""
    from eval.measures.classification import format_report
    from eval.measures.label_order import check_label_order
    from finetune.card import read_card

    card = read_card(arguments.out) or {}
    report, initial = card["report"], card["metrics"]["initial"]["accuracy"]
    done = f"{card['data']['train']['n']} items, {card['steps']} steps, {card['wall_s']:.0f} s: {arguments.out}"
    print_outcome(
        card, f"{format_report(report)}\n\naccuracy before training {initial:.4f}\n{done}", as_json=arguments.json
    )
    cells = [(t, c) for t, row in enumerate(report["confusion"]) for c, count in enumerate(row) for _ in range(count)]
    targets, choices = zip(*cells, strict=True)
    remedy = (
        "the training items and the evaluated ones seem to name their labels differently: correct the data, then train"
    )
    where = f"the checkpoint '{arguments.out}', which is written,"
    check_label_order(targets, choices, labels=report["labels"], where=where, remedy=remedy)


def train_settings(arguments: argparse.Namespace) -> "TrainSettings":
    """Return the settings that the options give; an option that was left out leaves the default."""
    from finetune.config import TrainSettings, make_settings, parse_overrides

    given = {name: getattr(arguments, name, None) for name in TrainSettings.model_fields}
    fields = _text_fields(arguments) or _texts_of_task(arguments.benchmark)
    given |= {"text_fields": fields, "extra": parse_overrides(getattr(arguments, "set", ()))}
    return make_settings({name: value for name, value in given.items() if value is not None})


def evaluate(arguments: argparse.Namespace) -> None:
    labels, fields = labels_of(arguments.benchmark), _text_fields(arguments)
    split = arguments.split or default_split(arguments.benchmark)
    items = _load(arguments, split=split, path=arguments.data, limit=arguments.limit, seed=arguments.seed)

    import numpy as np

    from data.labels import label_ids
    from data.registry import fingerprint
    from eval.measures.classification import classification_report, format_report
    from eval.measures.label_order import check_label_order
    from finetune.classifier import load_classifier

    targets = label_ids(items, labels)
    classifier = load_classifier(arguments.checkpoint, labels=labels, batch_size=arguments.batch_size)
    if fields:
        classifier = classifier.model_copy(update={"text_fields": fields})
    started = time.perf_counter()
    predictions = classifier.batch([item.to_input() for item in items])
    wall_s = time.perf_counter() - started
    probs = np.array([prediction.probs for prediction in predictions])  # (n, n_labels)
    if not arguments.any_label_order:
        where = f"the checkpoint '{arguments.checkpoint}'"
        remedy = (
            "correct id2label in its config.json, or, where the items are meant to mislead it, add --any-label-order"
        )
        check_label_order(targets, probs.argmax(axis=1).tolist(), labels=labels, where=where, remedy=remedy)
    report = classification_report(items, probs, labels=labels)
    figures = {
        "checkpoint": arguments.checkpoint,
        "benchmark": arguments.benchmark,
        "split": split,
        "n": len(items),
        "fingerprint": fingerprint(items),
        "metrics": report,
        "wall_s": round(wall_s, 3),
    }
    print_outcome(figures, f"{format_report(report)}\n\n{len(items)} items, {wall_s:.1f} s", as_json=arguments.json)


def export(arguments: argparse.Namespace) -> None:
    from finetune.export import export_checkpoint

    figures = export_checkpoint(arguments.checkpoint, arguments.out, form=arguments.format)
    lines = [f"{size:>12,}  {name}" for name, size in figures["files"].items()]
    said = f"labels: {', '.join(figures['labels'])}"
    if "largest_difference" in figures:
        said += (
            f"; inputs: {', '.join(figures['inputs'])}; logits within {figures['largest_difference']:.1g} of torch's"
        )
    print_outcome(figures, "\n".join([*lines, said, f"{arguments.format}: {arguments.out}"]), as_json=arguments.json)


def _load(arguments: argparse.Namespace, *, split: str, path: Path | None, limit: int | None, seed: int | None) -> Any:
    from data.registry import load_items

    skip = arguments.skip_bad_rows and path is not None
    return load_items(arguments.benchmark, split=split, path=path, limit=limit, seed=seed, skip_bad_rows=skip)


def labels_of(benchmark_name: str) -> tuple[str, ...]:
    from data.registry import benchmark

    labels = benchmark(benchmark_name).labels
    if labels is None:
        raise ConfigurationError(
            f"the items of '{benchmark_name}' have choices of their own, not labels a classifier can learn; use mnli"
        )
    return labels


def default_split(benchmark_name: str) -> str:
    from data.registry import benchmark

    return benchmark(benchmark_name).default_split


def train_split(benchmark_name: str, eval_split: str | None) -> str:
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


def _texts_of_task(benchmark_name: str) -> tuple[str, ...] | None:
    """Return the names of the texts of a file of the user's own; None of a benchmark, which has the default ones."""
    from data.registry import load_items, task_card
    from finetune.features import fields_of

    return None if task_card(benchmark_name) is None else fields_of(load_items(benchmark_name))


def print_outcome(figures: Mapping[str, Any], table: str, *, as_json: bool) -> None:
    emit_json_text(json.dumps(figures, ensure_ascii=False)) if as_json else emit(table)
