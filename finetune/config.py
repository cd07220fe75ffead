"""What a fine-tuning run is told: one frozen object, checked before anything is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.parsing import RepeatedNameError, parse_json
from data.types import Frozen

DEFAULT_TEXT_FIELDS = ("premise", "hypothesis")
Pooling = Literal["cls", "mean", "max", "pair"]  # what the head reads: `finetune.pooling`
Precision = Literal["auto", "on", "off"]  # whether to compute in bf16

# Fields of TrainingArguments that `extra` may not hold, because a setting of ours decides them: field -> setting.
OWN_SETTINGS = {
    "per_device_train_batch_size": "batch_size",
    "per_device_eval_batch_size": "batch_size",
    "num_train_epochs": "epochs",
    "learning_rate": "learning_rate",
    "warmup_steps": "warmup",
    "weight_decay": "weight_decay",
    "seed": "seed",
    "eval_steps": "eval_steps",
    "eval_strategy": "eval_steps",
    "logging_steps": "logging_steps",
    "logging_strategy": "logging_steps",
    "save_steps": "save_steps",
    "load_best_model_at_end": "patience",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "bf16": "bf16",
}
# … and those that the project decides: the checkpoint's folder and its files, what is read, when evaluations come and
# what they return, what an interrupted run needs to go on as if it had not been, and that nothing is sent anywhere.
RESERVED_ARGUMENTS = frozenset(
    {"output_dir", "remove_unused_columns", "label_names", "eval_on_start", "prediction_loss_only"}
    | {"batch_eval_metrics", "include_for_metrics", "report_to", "push_to_hub", "eval_delay"}
    | {"resume_from_checkpoint", "enable_jit_checkpoint", "ignore_data_skip", "auto_find_batch_size"}
    | {"restore_callback_states_from_checkpoint", "dataloader_drop_last", "eval_do_concat_batches", "use_liger_kernel"}
)
RESERVED_PREFIXES = ("save_", "hub_", "trackio_")


class TrainSettings(Frozen):
    """Everything that decides what a training run does, apart from its data.

    Attributes:
        model: A hub id, a folder, or the packaged `minilm`.
        text_fields: The item inputs the encoder reads: one, or two that become a pair.
        replace_head: Train on from a classifier of another task, with a head for these labels in place of its own.
        pooling: What of the encoder the head reads: [CLS]'s last hidden state, all tokens' mean or maximum, or a
            comparison of the two texts' means (`finetune.pooling`).
        freeze_embeddings: Leave the encoder's embeddings as they are: a small set changes few of their rows, and each
            step is cheaper by the optimizer's work on them, half of a small encoder's weights.
        dropout: Of hidden states, attention and head while training; None: what the encoder's configuration says.
        max_length: Tokens an encoded pair is cut at.
        batch_size: Items per optimizer step, however many devices and accumulation steps share them.
        gradient_accumulation_steps: Parts that a device computes its share of a batch in, where memory is short.
        epochs: Passes over the training items.
        learning_rate: The peak.
        warmup: Steps of linear warm-up; a value below 1 is a share of all steps.
        weight_decay: AdamW's.
        seed: Of the new head, the order of the items and dropout.
        eval_steps: Optimizer steps between evaluations; None evaluates after each epoch.
        patience: Stop after so many evaluations in a row without a better one, and keep the best; None: keep the last.
        logging_steps: Steps between two logged losses; a value below 1 is a share of all steps.
        save_steps: Steps between two states that an interrupted run can go on from; below 1, a share of all steps.
            With `patience`, each evaluation saves one instead.
        bf16: "auto" takes it where the hardware has it.
        extra: Fields of `transformers.TrainingArguments` that none of the above decides.
    """

    model: str = Field(default="distilbert-base-uncased", min_length=1)
    text_fields: tuple[str, ...] = Field(default=DEFAULT_TEXT_FIELDS, min_length=1, max_length=2)
    replace_head: bool = False
    pooling: Pooling = "cls"
    freeze_embeddings: bool = False
    dropout: float | None = Field(default=None, ge=0, lt=1)
    max_length: int = Field(default=400, ge=4)
    batch_size: int = Field(default=64, ge=1)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    epochs: float = Field(default=3, gt=0, le=10_000, allow_inf_nan=False)
    learning_rate: float = Field(default=5e-5, gt=0, allow_inf_nan=False)
    warmup: float = Field(default=0.06, ge=0, allow_inf_nan=False)
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, lt=2**32)
    eval_steps: int | None = Field(default=None, ge=1)
    patience: int | None = Field(default=None, ge=1)
    logging_steps: float = Field(default=0.02, gt=0, allow_inf_nan=False)
    save_steps: float = Field(default=0.1, gt=0, allow_inf_nan=False)
    bf16: Precision = "auto"
    extra: dict[str, Any] = Field(default_factory=dict)


def make_settings(values: Mapping[str, Any]) -> TrainSettings:
    """Build settings from a command line or a suite.

    Raises:
        ConfigurationError: A field is unknown or its value is not usable.
    """
    try:
        settings = TrainSettings(**values)
    except ValidationError as error:
        fault = first_fault(error)
        hint = f" Allowed: {', '.join(TrainSettings.model_fields)}." if fault.is_unknown else ""
        said = f"training setting '{fault.place}' = {fault.value!r}: {fault.message}.{hint}"
        raise ConfigurationError(said) from error
    for name in settings.extra:
        if name in OWN_SETTINGS:
            own = OWN_SETTINGS[name]
            raise ConfigurationError(f"--set {name}=…: use --{own.replace('_', '-')} (in a suite, {own}) instead")
        if name in RESERVED_ARGUMENTS or name.startswith(RESERVED_PREFIXES):
            raise ConfigurationError(f"--set {name}=… cannot be changed: the project sets it; leave it out")
    return settings


def parse_overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `--set name=value` pairs: a value that is JSON is taken as such, anything else as text.

    Raises:
        ConfigurationError: A pair has no "=" or no name, or its JSON gives a name twice.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(
                f"--set takes name=value, got '{pair}'; for example --set lr_scheduler_type=cosine"
            )
        try:
            overrides[name.strip()] = parse_json(text)
        except RepeatedNameError as error:
            raise ConfigurationError(f"--set {name.strip()}: {error}") from None
        except ValueError:
            overrides[name.strip()] = text
    return overrides


def hardware_has_bf16() -> bool:
    """Say whether this machine multiplies bf16 in hardware, where it is 2-3 times as fast as fp32.

    Emulated bf16 is slower than fp32, so it is not taken for support.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def use_bf16(choice: Precision) -> bool:
    """Turn the setting into a decision for this machine."""
    return hardware_has_bf16() if choice == "auto" else choice == "on"
