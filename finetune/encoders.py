"""Where an encoder comes from: a folder, a package that carries it, the Hugging Face cache, or the hub.

Nothing is asked of the hub before the local places have been tried, and the hub is asked once, briefly, before a
download starts: the client's own retries keep a user without a network waiting for half a minute.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.hub import cached_folder, hub_downloads, hub_errors, hub_fault, hub_said, quiet_transformers
from data.common.packaged import PACKAGED, is_installed, weights_path
from data.common.text import normalised, one_line

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

PACKAGED_ENCODERS = ("minilm",)
ENCODER_NOTES = {
    "minilm": "This encoder saw MNLI and SNLI training pairs in its own pre-training "
    f"({PACKAGED['minilm'].origin}, {PACKAGED['minilm'].licence}).",
}
VOCABULARY_FILES = ("tokenizer.json", "vocab.*", "*vocab*.json", "*.model", "*.tiktoken")
OFFLINE_WAYS = "offline, name a folder with the model, one that is already in the Hugging Face cache, or 'minilm'"


def resolve(name: str | Path) -> str | Path:
    """Return the folder that `name` means, or the hub id itself.

    Raises:
        MissingResourceError: The folder does not exist or is empty, or the package is not installed.
    """
    if isinstance(name, str) and name in PACKAGED_ENCODERS:
        return weights_path(name).parent
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any(folder.iterdir()):
            raise MissingResourceError(f"the folder '{name}' is empty; name one with a model, or a hub id")
        return folder
    if not _looks_like_hub_id(name):
        raise MissingResourceError(f"there is no folder '{name}'; name one with a model, a hub id, or 'minilm'")
    return str(name)


def _looks_like_hub_id(name: str | Path) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    if isinstance(name, Path) or name.startswith((".", "/", "~")) or name.endswith("/"):
        return False
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def load_pretrained(auto_class: Any, name: str | Path, *, try_cache: bool = True, **options: Any) -> Any:
    """Call `auto_class.from_pretrained` on whatever `name` means, going to the hub last.

    Args:
        auto_class: `AutoTokenizer`, `AutoConfig`, `AutoModelForSequenceClassification` …
        name: A packaged encoder, a folder or a hub id.
        try_cache: Whether what the hub's cache holds may be all that is needed.
        options: Passed on to `from_pretrained`.

    Raises:
        MissingResourceError: There is no such model, or the hub does not answer and the cache does not have it.
        ConfigurationError: The folder is there but holds no such model, or a damaged one.
    """
    from safetensors import SafetensorError

    # RuntimeError: weights of other shapes than the configuration says.
    faults: tuple[type[Exception], ...] = (*hub_errors(), RuntimeError, SafetensorError)
    source = resolve(name)
    options["trust_remote_code"] = False  # else transformers asks the terminal whether to run a model's own code
    with quiet_transformers():
        try:
            if try_cache or isinstance(source, Path):
                return auto_class.from_pretrained(source, local_files_only=True, **options)
        except faults as error:
            if isinstance(source, Path):
                message = f"{auto_class.__name__} cannot load the folder '{name}': {one_line(error)}"
                raise ConfigurationError(message) from error
        _require_on_hub(str(source))
        try:
            with hub_downloads(str(source), together=not try_cache):
                return auto_class.from_pretrained(source, **options)
        except faults as error:
            raise MissingResourceError(
                f"the model '{name}' cannot be loaded: {hub_said(error, str(source))}"
            ) from error


def load_tokenizer(name: str | Path) -> "PreTrainedTokenizerBase":
    """Load the tokenizer of an encoder.

    Raises:
        ConfigurationError: There is no tokenizer with it: transformers would make one that knows no word.
        MissingResourceError: There is no such encoder.
    """
    from transformers import AutoTokenizer

    source = resolve(name)
    lacking = "has no tokenizer: no tokenizer.json and no vocabulary (vocab.txt, …)"
    if isinstance(source, Path) and not _has_vocabulary(source):
        raise ConfigurationError(f"the folder '{name}' {lacking}; copy the files of the encoder's tokenizer into it")
    known = isinstance(source, Path) or _has_vocabulary(cached_folder(source))
    tokenizer: PreTrainedTokenizerBase = load_pretrained(AutoTokenizer, name, try_cache=known)
    if not known and not _has_vocabulary(cached_folder(str(source))):
        raise ConfigurationError(f"the hub's model '{name}' {lacking}; name another one")
    return tokenizer


def _has_vocabulary(folder: Path | None) -> bool:
    return folder is not None and any(path for kind in VOCABULARY_FILES for path in folder.glob(kind))


def is_classifier(config: "PretrainedConfig") -> bool:
    """Say whether a configuration is a sequence classifier's, and not that of an encoder without a head."""
    return any(kind.endswith("ForSequenceClassification") for kind in config.architectures or [])


def label_names(config: "PretrainedConfig") -> list[str]:
    """Return the names of a classifier's output columns, in their order."""
    names = {int(column): normalised(name) for column, name in (config.id2label or {}).items()}
    return [names[column] for column in sorted(names)]


def position_limit(config: "PretrainedConfig", tokenizer: "PreTrainedTokenizerBase") -> int | None:
    """Return the longest input in tokens the encoder has positions for; None where it has no such limit.

    The tokenizer is asked as well, because RoBERTa's positions start at 2: it has 514 of them for 512 tokens.
    """
    positions = getattr(config, "max_position_embeddings", None)
    # transformers writes 1e30 for a tokenizer that declares no length.
    limits = [value for value in (positions, tokenizer.model_max_length) if value is not None and 0 < value < 1_000_000]
    return min(limits, default=None)


def _require_on_hub(name: str) -> None:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    fault = hub_fault(name)
    if isinstance(fault, RepositoryNotFoundError) and not isinstance(fault, GatedRepoError):
        packaged = ", ".join(encoder for encoder in PACKAGED_ENCODERS if is_installed(encoder)) or "none installed"
        raise MissingResourceError(
            f"no model '{name}': not a folder, not packaged ({packaged}), and the hub has none that you may read"
        ) from fault
    if fault is not None:
        raise MissingResourceError(f"{hub_said(fault, name)}; {OFFLINE_WAYS}") from fault
