"""What a fine-tuning run is asked to do: one frozen object, checked before anything is loaded."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import Field, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.hardware import multiplies_bf16
from data.common.parsing import JsonObject, RepeatedNameError, parse_json
from data.types import Frozen

DEFAULT_TEXT_FIELDS = ("premise", "hypothesis")
Pooling = Literal["cls", "mean", "max", "pair"]  # what the head reads: `finetune.pooling`
Precision = Literal["auto", "on", "off"]  # whether to compute in bf16

# Fields of TrainingArguments that the project decides: the checkpoint's folder and its files, what is read, when
# evaluations come and what they return, what an interrupted run needs to go on as if it had not been, and that nothing
# is sent anywhere. What a setting of ours decides is said with the setting.
RESERVED_ARGUMENTS = frozenset(
    {"output_dir", "remove_unused_columns", "label_names", "eval_on_start", "prediction_loss_only"}
    | {"batch_eval_metrics", "include_for_metrics", "report_to", "push_to_hub", "eval_delay"}
    | {"resume_from_checkpoint", "enable_jit_checkpoint", "ignore_data_skip", "auto_find_batch_size"}
    | {"restore_callback_states_from_checkpoint", "dataloader_drop_last", "eval_do_concat_batches", "use_liger_kernel"}
)
RESERVED_PREFIXES = ("save_", "hub_", "trackio_")


def _setting(default: Any, said: str, *, decides: str = "", metavar: str = "N", **limits: Any) -> Any:
    """Declare a setting once: for the checks, the command line, `--set` and the documents' table.

    Args:
        default: Its value where nothing else is said.
        said: One line for people.
        decides: Fields of `transformers.TrainingArguments` that it decides, apart by spaces; the first takes its value
            as it is, unless `finetune.arguments` computes another.
        metavar: What stands for its value on the command line.
        limits: As for pydantic's `Field`.
    """
    facts: JsonObject = {"decides": decides.split(), "metavar": metavar}
    return Field(default, description=said, json_schema_extra=facts, **limits)


class TrainSettings(Frozen):
    """Everything that decides what a training run does, apart from its data: what each setting says of itself."""

    model: str = _setting("distilbert-base-uncased", "a hub id, a folder, or minilm", metavar="M", min_length=1)
    text_fields: tuple[str, ...] = _setting(
        DEFAULT_TEXT_FIELDS,
        "the inputs to read, one, or two that become a pair",
        metavar="A[,B]",
        min_length=1,
        max_length=2,
    )
    replace_head: bool = _setting(
        False, "train on from a classifier of another task, with a new head for these labels in place of its own"
    )
    pooling: Pooling = _setting("cls", "what of the encoder the head reads: see `finetune.pooling`")
    probe: bool = _setting(
        False,
        "begin with a head that is fitted, not drawn: logistic regression on the encoder as it is (`finetune.probe`)",
    )
    freeze_embeddings: bool = _setting(
        False, "leave the encoder's embeddings as they are: less to compute, and less to overfit with"
    )
    dropout: float | None = _setting(
        None,
        "of hidden states, attention and head while training; without it, as the encoder says",
        metavar="X",
        ge=0,
        lt=1,
    )
    max_length: int = _setting(400, "tokens an input is cut at", ge=4)
    batch_size: int = _setting(
        64,
        "items per optimizer step, over all devices",
        decides="per_device_train_batch_size per_device_eval_batch_size",
        ge=1,
    )
    gradient_accumulation_steps: int = _setting(
        1,
        "parts that a device computes its share of a batch in, to save memory",
        decides="gradient_accumulation_steps",
        ge=1,
    )
    epochs: float = _setting(
        3, "passes over the training items", decides="num_train_epochs", gt=0, le=10_000, allow_inf_nan=False
    )
    learning_rate: float = _setting(
        5e-5, "the peak of the learning rate", decides="learning_rate", metavar="X", gt=0, allow_inf_nan=False
    )
    warmup: float = _setting(
        0.06,
        "steps of linear warm-up, or below 1 a share of all steps",
        decides="warmup_steps",
        metavar="X",
        ge=0,
        allow_inf_nan=False,
    )
    weight_decay: float = _setting(
        0.01, "AdamW's weight decay", decides="weight_decay", metavar="X", ge=0, allow_inf_nan=False
    )
    seed: int = _setting(
        0, "the seed of the draw, and of everything random in training", decides="seed", metavar="S", ge=0, lt=2**32
    )
    eval_steps: int | None = _setting(
        None, "steps between evaluations; without it, after each epoch", decides="eval_steps eval_strategy", ge=1
    )
    patience: int | None = _setting(
        None,
        "stop after N evaluations without a better accuracy on held-out training items, and keep the best; without it, "
        "keep the last",
        decides="load_best_model_at_end",
        ge=1,
    )
    logging_steps: float = _setting(
        0.02,
        "steps between logged losses, or below 1 a share of all steps",
        decides="logging_steps logging_strategy",
        metavar="X",
        gt=0,
        allow_inf_nan=False,
    )
    save_steps: float = _setting(
        0.1,
        "steps between saved states that an interrupted run can go on from, or below 1 a share of all steps; with "
        "patience, each evaluation saves one",
        decides="save_steps",
        metavar="X",
        gt=0,
        allow_inf_nan=False,
    )
    bf16: Precision = _setting("auto", "whether to compute in bf16: auto where the hardware has it", decides="bf16")
    extra: JsonObject = _setting(
        {}, "fields of transformers.TrainingArguments that no other setting decides", metavar="NAME=VALUE"
    )


class Declared(NamedTuple):
    """What a setting says of itself.

    Attributes:
        said: One line for people, with the default where there is one.
        flag: How it is given on the command line.
        metavar: What stands there for its value; "" for a switch, which has none.
        choices: Its values, where it has only some.
        decides: The fields of `transformers.TrainingArguments` that it decides.
    """

    said: str
    flag: str
    metavar: str
    choices: tuple[str, ...]
    decides: tuple[str, ...]


def declared_settings() -> dict[str, Declared]:
    """Return what each field of `TrainSettings` says of itself, by name."""
    found = {}
    for name, field in TrainSettings.model_fields.items():
        facts: Any = field.json_schema_extra
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        found[name] = Declared(
            said=f"{field.description}{f' (default: {default})' if default not in (None, False, {}) else ''}",
            flag="--set" if name == "extra" else f"--{name.replace('_', '-')}",
            metavar="" if field.annotation is bool else f"{{{','.join(choices)}}}" if choices else facts["metavar"],
            choices=choices,
            decides=tuple(facts["decides"]),
        )
    return found


def settings_table() -> str:
    """Return the settings as the documents' Markdown table."""
    rows = [
        f"| `{name}` | `{f'{one.flag} {one.metavar}'.strip()}` | {one.said} |"
        for name, one in declared_settings().items()
    ]
    return "\n".join(["| in a suite | on the command line | what it is |", "|---|---|---|", *rows])


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
    own = {argument: name for name, declared in declared_settings().items() for argument in declared.decides}
    for name in settings.extra:
        if name in own:
            flag = declared_settings()[own[name]].flag
            raise ConfigurationError(f"--set {name}=…: use {flag} (in a suite, {own[name]}) instead")
        if name in RESERVED_ARGUMENTS or name.startswith(RESERVED_PREFIXES):
            raise ConfigurationError(f"--set {name}=… cannot be changed: the project sets it; leave it out")
    return settings


def parse_overrides(pairs: Sequence[str]) -> JsonObject:
    """Read `--set name=value` pairs: a value that is JSON is taken as such, anything else as text.

    Raises:
        ConfigurationError: A pair has no "=" or no name, or its JSON gives a name twice.
    """
    overrides: JsonObject = {}
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


def use_bf16(choice: Precision) -> bool:
    """Turn the setting into a decision for this machine."""
    if choice != "auto":
        return choice == "on"
    import torch

    return multiplies_bf16("cuda" if torch.cuda.is_available() else "cpu")
