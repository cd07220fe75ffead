"""A fine-tuned checkpoint as a predictor: a LangChain Runnable that answers items with probabilities.

It composes like any chain (`|`, `batch`, `with_config`), but its `batch` is one pass over length-sorted batches.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import torch
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict
from transformers import (
    AutoConfig,
    BatchEncoding,
    DataCollatorWithPadding,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.hub import cached_folder, hub_downloads, hub_errors, hub_fault
from data.common.parsing import JsonObject
from data.types import Inputs, Prediction
from finetune.card import CARD_FILE, read_card
from finetune.config import DEFAULT_TEXT_FIELDS, Precision, use_bf16
from finetune.encoders import is_classifier, label_names, load_pretrained, load_tokenizer, position_limit, resolve
from finetune.features import Features, texts_of, tokenize
from finetune.pooling import classifier_class

DEFAULT_MAX_LENGTH = 512


class Classifier(RunnableSerializable[Inputs, Prediction]):
    """A sequence classifier that reads an item's texts and answers with one of its labels.

    Attributes:
        model: The encoder with its head, in evaluation mode.
        tokenizer: The model's own.
        text_fields: The inputs it reads.
        max_length: Tokens an input is cut at.
        batch_size: Inputs per forward pass.
        bf16: Whether matrix products are computed in bf16, as in the evaluations during training.
        columns: (n_choices,) the model's output column of each label, in the order of the benchmark's labels.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    text_fields: tuple[str, ...]
    max_length: int
    batch_size: int
    bf16: bool
    columns: tuple[int, ...]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self._call_with_config(self._answer_one, input, config, **kwargs)

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Prediction]:
        return self._batch_with_config(
            self._answer, inputs, config=config, return_exceptions=return_exceptions, **kwargs
        )

    async def abatch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Prediction]:
        def batch() -> list[Prediction]:
            return self.batch(inputs, config, return_exceptions=return_exceptions, **kwargs)

        return await run_in_executor(None, batch)

    def _answer_one(self, one: Inputs) -> Prediction:
        (answer,) = self._answer([one])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self, inputs: list[Inputs]) -> list[Exception | Prediction]:
        """Answer in the order of `inputs`; an input without the texts becomes its own error and sinks no other."""
        answers: dict[int, Exception | Prediction] = {}
        texts: dict[int, tuple[str, ...]] = {}
        for row, one in enumerate(inputs):
            try:
                texts[row] = texts_of(one, self.text_fields, where=str(one.get("id", f"input {row}")))
            except ConfigurationError as error:
                answers[row] = error
        encoded = tokenize(self.tokenizer, list(texts.values()), max_length=self.max_length)
        features = dict(zip(texts, encoded, strict=True))
        # Like lengths waste least on padding; the longest go first, so that memory runs out at once or never.
        order = sorted(features, key=lambda row: (-len(features[row]["input_ids"]), row))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            probs = self._probs([features[row] for row in rows])
            for row, distribution in zip(rows, probs, strict=True):
                answers[row] = _prediction(distribution, input_tokens=len(features[row]["input_ids"]))
        return [answers[row] for row in range(len(inputs))]

    @torch.inference_mode()
    def _probs(self, features: list[Features]) -> list[list[float]]:
        """Return (batch, n_choices) probabilities in the order of the benchmark's labels."""
        batch = BatchEncoding(DataCollatorWithPadding(self.tokenizer)(features)).to(self.model.device)
        with torch.autocast(self.model.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.model(**batch).logits  # (batch, n_columns)
        logits = logits.double()  # so that the probabilities sum to 1
        rows: list[list[float]] = torch.softmax(logits[:, list(self.columns)], dim=-1).tolist()
        return rows


def load_classifier(
    checkpoint: str | Path, *, labels: Sequence[str], batch_size: int = 64, bf16: Precision = "auto"
) -> Classifier:
    """Load a checkpoint as a predictor for a benchmark.

    Args:
        checkpoint: A folder that `finetune train` wrote, any other sequence classifier's, or a hub id.
        labels: The benchmark's class names; `Prediction.choice` is an index into them.
        batch_size: Inputs per forward pass.
        bf16: "auto" takes it where the hardware has it; then the second decimal of a probability depends on the
            inputs that are batched together.

    Raises:
        MissingResourceError: The checkpoint is not there, or its folder is empty.
        ConfigurationError: It is no sequence classifier, a damaged one, or one for other labels; or batch_size is
            below 1.
    """
    if batch_size < 1:
        raise ConfigurationError(f"batch_size {batch_size} is not usable; it must be 1 or more")
    config = classifier_config(checkpoint)
    columns = _columns(config, labels, checkpoint)
    card = read_card(checkpoint_folder(checkpoint)) or {}
    tokenizer = load_tokenizer(checkpoint)
    if tokenizer.pad_token is None:
        raise ConfigurationError(
            f"the tokenizer of '{checkpoint}' has no padding token; copy the encoder's own into it"
        )
    limit = position_limit(config, tokenizer)
    max_length = card.get("max_length") or limit or DEFAULT_MAX_LENGTH
    model = _load_whole(checkpoint, config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Classifier(
        model=model.eval().to(device),
        tokenizer=tokenizer,
        text_fields=tuple(card.get("text_fields", DEFAULT_TEXT_FIELDS)),
        max_length=min(max_length, limit or max_length),
        batch_size=batch_size,
        bf16=use_bf16(bf16),
        columns=columns,
    )


def checkpoint_folder(checkpoint: str | Path) -> Path:
    """Return the folder of a checkpoint, once `classifier_config` has loaded it: of one from the hub, the cache's.

    What the hub has of its training card is in the folder, too.

    Raises:
        MissingResourceError: There is no such folder, or the hub sent another card than its hash says.
    """
    source = resolve(checkpoint)
    if isinstance(source, Path):
        return source
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    folder = cached_folder(source)
    if folder is None:
        raise MissingResourceError(f"the model '{source}' is not in the cache of the hub (HF_HOME)")
    # A name that is known to be absent is neither a path nor None.
    if try_to_load_from_cache(source, CARD_FILE, revision=folder.name) is None and hub_fault(source) is None:
        with suppress(*hub_errors()), hub_downloads(source):
            hf_hub_download(source, CARD_FILE, revision=folder.name)
    return folder


def _load_whole(checkpoint: str | Path, config: PretrainedConfig) -> PreTrainedModel:
    """Load the model if the checkpoint has every weight of it: transformers draws those it misses at random."""
    loaded: tuple[PreTrainedModel, JsonObject] = load_pretrained(
        classifier_class(config),
        checkpoint,
        config=config,
        use_safetensors=True,  # no pickle
        ignore_mismatched_sizes=True,  # they are in the report
        dtype=torch.float32,
        output_loading_info=True,
    )
    model, report = loaded
    absent = sorted([*report["missing_keys"], *(str(key[0]) for key in report["mismatched_keys"])])
    if absent:
        raise ConfigurationError(
            f"the checkpoint '{checkpoint}' lacks {len(absent)} weights of its model's shape, such as {absent[0]}, and "
            "would answer at random: copy it again, or train it with python -m finetune train"
        )
    return model


def classifier_config(checkpoint: str | Path) -> PretrainedConfig:
    """Load a checkpoint's configuration.

    Raises:
        MissingResourceError: The checkpoint is not there, or its folder is empty.
        ConfigurationError: It is no sequence classifier.
    """
    try:
        config = cast(PretrainedConfig, load_pretrained(AutoConfig, checkpoint))
    except MissingResourceError as error:
        message = f"{error}; a checkpoint is made by: python -m finetune train --out DIR"
        raise MissingResourceError(message) from error
    kinds = config.architectures or []
    if not is_classifier(config):
        raise ConfigurationError(
            f"'{checkpoint}' is no sequence classifier but {', '.join(kinds) or config.model_type}; "
            "fine-tune it first: python -m finetune train --model …"
        )
    return config


def _columns(config: PretrainedConfig, labels: Sequence[str], checkpoint: str | Path) -> tuple[int, ...]:
    """Find each label's output column by its name: checkpoints of one task number their labels differently."""
    own = label_names(config)
    column_of = {name.strip().casefold(): column for column, name in enumerate(own)}
    wanted = [label.strip().casefold() for label in labels]
    if set(column_of) != set(wanted) or len(column_of) != len(own):
        raise ConfigurationError(
            f"the checkpoint '{checkpoint}' has the labels {', '.join(own)}; "
            f"needed are {', '.join(labels)}: train it on this benchmark, or name its labels in config.json (id2label)"
        )
    return tuple(column_of[label] for label in wanted)


def _prediction(probs: list[float], *, input_tokens: int) -> Prediction:
    choice = max(range(len(probs)), key=probs.__getitem__)
    return Prediction(
        choice=choice,
        status="ok",
        rule="argmax",
        probs=tuple(probs),
        probs_source="softmax",
        usage={"input_tokens": input_tokens},
    )
