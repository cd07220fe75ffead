"""The Hugging Face Trainer over items: the project's order of training items, and evaluations that keep their probs.

What the Trainer does is left to it: the loop, bf16, accumulation, processes, saved states. Two things are ours. An
epoch's order is a function of seed and epoch (`finetune.order`). Evaluations go from the longest text to the shortest,
and their probabilities come back in the order of the items.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    EvalPrediction,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import EvalLoopOutput

from data.common.errors import ConfigurationError
from data.common.text import one_line
from data.types import Item
from finetune.arguments import REFUSALS
from finetune.attention import use_plain_attention_when_short
from finetune.config import TrainSettings
from finetune.encoders import load_tokenizer
from finetune.features import Features, encode_items
from finetune.heads import load_new_classifier
from finetune.order import EpochOrder
from finetune.probe import fit_head
from finetune.teacher import Probs
from finetune.working_folder import STATE_FILE, WEIGHTS_FILE

ComputeMetrics = Callable[[Sequence[int], np.ndarray], dict[str, float]]  # (n,), (n, n_classes) -> figures by name


class ItemTrainer(Trainer):
    """A Trainer that is given items.

    Attributes:
        probs: (n, n_classes) of the last evaluation, in the order of its items.
    """

    def __init__(
        self,
        *,
        encode: Callable[..., list[Features]],
        sets: Mapping[str, Sequence[Item]],
        probs: Probs,
        batch_size: int,
        compute_metrics: ComputeMetrics,
        **options: Any,
    ) -> None:
        """Encode the items of `sets`, those of "train" with a teacher's `probs`; `options` are the Trainer's own."""
        self.probs, self._loss = np.empty((0, 0)), math.nan
        self._encode, self._measure = encode, compute_metrics
        learnt = encode(sets["train"], probs=probs)
        arguments: TrainingArguments = options["args"]
        self._order = EpochOrder(
            [len(row["input_ids"]) for row in learnt],
            batch_size=batch_size,
            seed=arguments.seed,
            by_length=arguments.train_sampling_strategy == "group_by_length",
        )
        watched, self._watched = _longest_first(encode(sets["eval"]))
        self._places = self._watched
        super().__init__(train_dataset=learnt, eval_dataset=watched, compute_metrics=self._compute_metrics, **options)
        # Models that take any keyword would be handed the batch's size to divide the loss by; DistilBERT, for one, does
        # not, and its loss would grow with processes and accumulation steps. A mean over equal parts is right for all.
        self.model_accepts_loss_kwargs = False
        # Both print to stdout, which is kept for what a command returns.
        self.remove_callback(ProgressCallback)
        self.remove_callback(PrinterCallback)
        self.add_callback(_SetEpoch(self._order))

    def measure(self, items: Sequence[Item]) -> dict[str, float]:
        """Evaluate items outside the training loop; return "test_loss" and the metrics, "test_" before their names."""
        rows, self._places = _longest_first(self._encode(items))
        metrics = self.predict(rows).metrics  # type: ignore[arg-type]
        self._places = self._watched
        return dict(metrics or {})

    def take_up(self, saved: Path) -> None:
        """Load a saved state after which nothing was left to train, with the best weights where those are kept."""
        self.state = TrainerState.load_from_json(str(saved / STATE_FILE))
        weights = Path(self.state.best_model_checkpoint or saved) / WEIGHTS_FILE
        cast(torch.nn.Module, self.model).load_state_dict(load_file(weights))

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Return the loss: where the labels are a teacher's probabilities, the cross-entropy with these."""
        if inputs["labels"].dim() == 1:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        targets = inputs.pop("labels")  # (batch, n_labels); the model's own loss would take them for something else
        outputs = model(**inputs)
        smoothing = self.args.label_smoothing_factor
        loss = torch.nn.functional.cross_entropy(outputs["logits"].float(), targets, label_smoothing=smoothing)
        return (loss, outputs) if return_outputs else loss

    def evaluation_loop(
        self,
        dataloader: DataLoader[Any],
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        output = super().evaluation_loop(
            dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix=metric_key_prefix
        )
        # The Trainer's own is a mean over the processes' batches, of which the last is filled up with other items.
        cast(dict[str, float], output.metrics)[f"{metric_key_prefix}_loss"] = self._loss
        return output

    def _compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        logits = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
        scores = torch.from_numpy(np.asarray(logits, dtype=np.float64))  # (n, n_classes)
        targets = torch.from_numpy(np.asarray(prediction.label_ids, dtype=np.int64))  # (n,)
        self._loss = torch.nn.functional.cross_entropy(scores, targets).item()
        probs = torch.softmax(scores, dim=-1).numpy()
        self.probs = np.empty_like(probs)
        self.probs[self._places] = probs
        return self._measure(targets.tolist(), probs)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self._order

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler[int]:
        return SequentialSampler(eval_dataset)


class _SetEpoch(TrainerCallback):
    """Tell the order which epoch comes: a resumed run begins with a later one."""

    def __init__(self, order: EpochOrder) -> None:
        self._order = order

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._order.epoch = int(state.epoch or 0)


def build_trainer(
    settings: TrainSettings,
    arguments: TrainingArguments,
    labels: Sequence[str],
    *,
    sets: Mapping[str, Sequence[Item]],
    compute_metrics: ComputeMetrics,
    probs: Probs = MappingProxyType({}),
    is_new: bool = True,
) -> ItemTrainer:
    """Load the encoder and hand it to a Trainer with the items.

    Args:
        settings: What was asked for.
        arguments: The same as the Trainer's own.
        labels: The class names, in the order of the head's columns.
        sets: "train", what is learnt from, and "eval", what evaluations during training look at.
        compute_metrics: Takes targets (n,) and probs (n, n_classes).
        probs: A teacher's, by the id of what is learnt, see `finetune.teacher`; empty where the labels are learnt.
        is_new: Whether training begins with this head; a saved state brings its own.

    Raises:
        ConfigurationError: The encoder or an argument is not usable.
        MissingResourceError: The encoder cannot be found.
    """
    tokenizer = load_tokenizer(settings.model)
    set_seed(settings.seed)  # the new head is drawn at random while the model loads
    model = load_new_classifier(
        settings.model,
        labels,
        pooling=settings.pooling,
        dropout=settings.dropout,
        freeze_embeddings=settings.freeze_embeddings,
    )
    if arguments.device.type == "cpu":
        use_plain_attention_when_short(model)
    _check_best_metric(arguments, len(labels), compute_metrics)
    collate = DataCollatorWithPadding(tokenizer)
    try:
        trainer = ItemTrainer(
            encode=partial(
                encode_items, tokenizer, labels=labels, text_fields=settings.text_fields, max_length=settings.max_length
            ),
            sets=sets,
            probs=probs,
            batch_size=settings.batch_size,
            compute_metrics=compute_metrics,
            model=model,
            args=arguments,
            processing_class=tokenizer,
            data_collator=collate,
            callbacks=[EarlyStoppingCallback(settings.patience)] if settings.patience else [],
        )
    except REFUSALS as error:
        raise ConfigurationError(f"transformers refuses these training arguments: {one_line(error)}") from error
    if settings.probe and is_new:
        rows = cast(list[Features], trainer.train_dataset)
        cast(torch.nn.Module, model).to(arguments.device)
        fit_head(model, rows, collate=collate, seed=settings.seed, bf16=arguments.bf16)
    return trainer


def _check_best_metric(arguments: TrainingArguments, n_classes: int, compute_metrics: ComputeMetrics) -> None:
    name = (arguments.metric_for_best_model or "loss").removeprefix("eval_")
    known = ["loss", *compute_metrics(list(range(n_classes)), np.eye(n_classes))]
    if name not in known:
        raise ConfigurationError(f"--set metric_for_best_model={name}: it must be one of {', '.join(known)}")


def _longest_first(rows: Sequence[Features]) -> tuple[list[Features], list[int]]:
    """Return the rows from the longest to the shortest, and the place that each had."""
    places = sorted(range(len(rows)), key=lambda place: (-len(rows[place]["input_ids"]), place))
    return [rows[place] for place in places], places
