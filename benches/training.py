"""Training with the project's recipe against the stock one: `python -m benches training`.

Both sides train the packaged encoder with the same head, data, batch, epochs and schedule, in turns, for three seeds.
The stock side is what a tutorial's script does with the Trainer: fp32, random order, dynamic padding. Timed is
`Trainer.train` without evaluations; afterwards both checkpoints answer the same validation items.

Reads `train.jsonl` and `validation_matched.jsonl` of MNLI from the folder that TUNE_OR_PROMPT_DATA names (its `mnli`),
else the samples that ship.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer, TrainingArguments, set_seed

from benches.items import data_folder
from benches.limit import count_work, share_of_limit
from benches.table import versions_line
from data.common.hub import quiet_transformers
from data.registry import benchmark, load_items
from data.splits import without_overlap
from data.types import Item
from eval.measures.metrics import classification_metrics
from finetune.arguments import training_arguments
from finetune.classifier import load_classifier
from finetune.config import TrainSettings
from finetune.encoders import load_tokenizer
from finetune.features import encode_items
from finetune.heads import load_new_classifier
from finetune.trainer import ItemTrainer, build_trainer

SEEDS = (0, 1, 2)
PAIRS = 3200
ANSWERED = 3000
# The user's batch and the packaged encoder; both sides share all of it.
SETTINGS = TrainSettings(
    model="minilm", pooling="pair", dropout=0, batch_size=64, epochs=1, learning_rate=2e-4, max_length=128
)


def mnli_items(n: int) -> tuple[list[Item], list[Item]]:
    """Return n pairs to learn from, or as many as there are, and those to answer."""
    folder = data_folder()
    if folder is None:
        evaluated = load_items("mnli", split="sample")
        return without_overlap(load_items("mnli", split="sample_train")[:n], evaluated), evaluated
    data = folder / "mnli"
    evaluated = load_items("mnli", split="validation_matched", path=data)
    learnt = load_items("mnli", split="train", path=data, limit=n + 100, seed=0)
    return without_overlap(learnt, evaluated)[:n], evaluated[:ANSWERED]


def our_trainer(settings: TrainSettings, items: Sequence[Item], labels: Sequence[str], folder: Path) -> ItemTrainer:
    """Return the project's Trainer, without its evaluations and saved states: the stock side has none."""
    arguments = training_arguments(settings, folder, n_items=len(items))
    arguments.eval_on_start, arguments.eval_strategy, arguments.save_strategy = False, "no", "no"
    sets = {"train": items, "eval": items[:1]}
    return build_trainer(settings, arguments, labels, sets=sets, compute_metrics=classification_metrics)


def stock_trainer(settings: TrainSettings, items: Sequence[Item], labels: Sequence[str], folder: Path) -> Trainer:
    """Return the Trainer with its defaults."""
    tokenizer = load_tokenizer(settings.model)
    set_seed(settings.seed)
    options = {"labels": labels, "text_fields": settings.text_fields, "max_length": settings.max_length}
    trainer = Trainer(
        model=load_new_classifier(settings.model, labels, pooling=settings.pooling, dropout=settings.dropout),
        args=TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=settings.batch_size,
            num_train_epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup,
            weight_decay=settings.weight_decay,
            seed=settings.seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=encode_items(tokenizer, items, **options),  # type: ignore[arg-type]
    )
    trainer.remove_callback(PrinterCallback)  # stdout is kept for the table
    return trainer


def accuracy(trainer: Trainer, items: Sequence[Item], labels: Sequence[str], folder: Path) -> float:
    """Answer the items with the trained model, loaded anew from its checkpoint."""
    trainer.save_model(str(folder))
    classifier = load_classifier(folder, labels=labels)
    predictions = classifier.batch([item.to_input() for item in items])
    return sum(p.choice == item.target for p, item in zip(predictions, items, strict=True)) / len(items)


def main() -> None:
    """Print the table."""
    learnt, evaluated = mnli_items(PAIRS)
    labels = list(benchmark("mnli").labels or ())
    makers = {"ours": our_trainer, "stock": stock_trainer}
    rates: dict[str, list[float]] = {side: [] for side in makers}
    right: dict[str, list[float]] = {side: [] for side in makers}
    for seed in SEEDS:
        settings = SETTINGS.model_copy(update={"seed": seed})
        for side, make in makers.items():
            with tempfile.TemporaryDirectory() as folder, quiet_transformers():
                trainer = make(settings, learnt, labels, Path(folder))
                started = time.perf_counter()
                trainer.train()
                rates[side].append(len(learnt) * settings.epochs / (time.perf_counter() - started))
                right[side].append(100 * accuracy(trainer, evaluated, labels, Path(folder)))
            print(f"seed {seed}, {side}: {rates[side][-1]:.1f} pairs/s, {right[side][-1]:.2f} %", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        trainer = our_trainer(SETTINGS, learnt, labels, Path(folder))
        seconds = len(learnt) * SETTINGS.epochs / statistics.median(rates["ours"])
        share = share_of_limit(count_work(trainer.train), torch.bfloat16, seconds)
    print_table(rates, right, n=(len(learnt), len(evaluated)), share=share)


def print_table(
    rates: dict[str, list[float]], right: dict[str, list[float]], *, n: tuple[int, int], share: str
) -> None:
    """Print the median throughput and the mean accuracy of each side, and how near ours comes to the limit."""
    versions = versions_line(["torch", "transformers"])
    print(f"\nMiniLM (22M) on {n[0]} pairs, {len(SEEDS)} seeds; {n[1]} answered; {versions}\n")
    print("| recipe | pairs/s, median | accuracy, mean | of each seed |\n|---|---|---|---|")
    names = {"ours": "bf16, by length, plain attention", "stock": "fp32, random order"}
    for side, name in names.items():
        each = ", ".join(f"{share:.2f}" for share in right[side])
        print(f"| {name} | {statistics.median(rates[side]):.1f} | {statistics.mean(right[side]):.2f} % | {each} |")
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["stock"])
    gap = statistics.mean(right["ours"]) - statistics.mean(right["stock"])
    print(f"\n{ratio:.1f} x the throughput, accuracy {gap:+.2f} points")
    print(f"ours of the limit, plain products in bf16: {share}\n")
