"""The folder of a Hugging Face model: a local one as it is, a hub model's after what is missing was fetched.

No pickled weights are ever fetched: what is loaded from the folder must be safetensors.
"""

from collections.abc import Sequence
from pathlib import Path

from data.common.errors import MissingResourceError

TOKENIZER_FILES = ("*.json", "*.txt", "*.model")
MODEL_FILES = (*TOKENIZER_FILES, "*.safetensors")

_HUB_TIMEOUT_S = 5.0


def model_folder(name: str, *, kind: str, instead: str, files: Sequence[str] = MODEL_FILES) -> Path:
    """Return where a model's files are.

    Args:
        name: A folder, or a model's name on the hub.
        kind: What the model is for, for the message.
        instead: What could be named in its place, for the message.
        files: Patterns of what is fetched.

    Raises:
        MissingResourceError: It is neither, or the hub cannot be reached.
    """
    if Path(name).is_dir():
        return Path(name).resolve()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    left_out = ["onnx/*", "openvino/*"]
    try:
        return Path(
            snapshot_download(name, allow_patterns=list(files), ignore_patterns=left_out, etag_timeout=_HUB_TIMEOUT_S)
        )
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise MissingResourceError(
            f"{kind} 'hf:{name}' is no folder here and cannot be had from the hub ({type(error).__name__}); "
            f"use {instead} or 'hf:DIR' with a folder that holds the model"
        ) from error
