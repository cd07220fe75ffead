"""Weights and tokenizer of a local model: from a folder, the hub's cache, the hub, or the packaged GGUF.

In comes a reference, out comes a `LoadedModel` that the whole process shares. A GGUF file takes twenty
seconds to become tensors, so it is converted once and kept as safetensors in the project's cache.
"""

import io
import re
import threading
import weakref
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.hardware import multiplies_bf16
from data.common.hub import hub_downloads, hub_errors, hub_fault, hub_said, quiet_transformers
from data.common.packaged import converted, is_installed
from data.common.text import one_line

SMOLLM2_HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Ends of a turn that a chat model may say although its configuration names another end of text.
_TURN_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<end_of_turn>", "<|end|>")


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A causal language model in memory, with all that scoring and decoding ask of it.

    Attributes:
        model: A transformers causal language model in evaluation mode.
        tokenizer: Its fast tokenizer.
        source: The folder or hub id that it was read from.
        revision: The hub's commit; None for a folder.
        context_length: The most tokens that it takes; None where its configuration does not say.
        stop_ids: Tokens that end a reply.
        lock: Held during a forward pass: two at once only take each other's cores.
    """

    model: Any
    tokenizer: Any
    source: str
    revision: str | None
    context_length: int | None
    stop_ids: frozenset[int]
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.model.dtype
        return dtype


_loading = threading.Lock()
_loaded: weakref.WeakValueDictionary[tuple[str, ...], LoadedModel] = weakref.WeakValueDictionary()


def load_model(ref: str, *, revision: str | None = None, dtype: str = "auto", device: str = "auto") -> LoadedModel:
    """Return the model that `ref` names; a second call shares the first one's weights while they are in use.

    Args:
        ref: `smollm2` (packaged, else from the hub), a folder, or a hub id such as `Qwen/Qwen2.5-0.5B-Instruct`.
        revision: A hub branch, tag or commit; ignored for a folder.
        dtype: "auto", "float32", "bfloat16" or "float16".
        device: "auto" (CUDA, then MPS, then CPU), or a name that torch knows.

    Raises:
        MissingResourceError: There is no such folder or model, or the hub cannot be reached.
        ConfigurationError: The dtype or device is unknown, or transformers cannot run such a model.
    """
    place = choose_device(device)
    kind = choose_dtype(dtype, place)
    with _loading:
        source = _locate(ref)
        key = (str(source), revision or "", str(kind), str(place))
        loaded = _loaded.get(key)
        if loaded is None:
            loaded = _read(source, revision=revision, dtype=kind, device=place)
            _loaded[key] = loaded
    return loaded


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; "auto" takes CUDA, then MPS, then the CPU."""
    if name != "auto":
        try:
            return torch.device(name)
        except RuntimeError:
            raise ConfigurationError(f"unknown device '{name}'; use auto, cpu, cuda, cuda:N or mps") from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype called `name`; "auto" takes bfloat16 where the hardware multiplies it natively."""
    if name in _DTYPES:
        return _DTYPES[name]
    if name != "auto":
        raise ConfigurationError(f"unknown dtype '{name}'; use auto, {', '.join(_DTYPES)}")
    return torch.bfloat16 if multiplies_bf16(device.type) else torch.float32


def _locate(ref: str) -> str | Path:
    if ref == "smollm2":
        if not is_installed("smollm2"):
            return SMOLLM2_HUB_ID
        return converted("smollm2", _convert_gguf, duration="half a minute")
    folder = Path(ref).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise MissingResourceError(
                f"model folder {ref} has no config.json; name a folder that save_pretrained wrote"
            )
        return folder.resolve()
    if folder.exists() or not _HUB_ID.fullmatch(ref):
        raise MissingResourceError(f"there is no model folder {ref}; name a folder with config.json, or a hub id")
    return ref


def _read(source: str | Path, *, revision: str | None, dtype: torch.dtype, device: torch.device) -> LoadedModel:
    commit = revision or "main"
    if isinstance(source, Path):
        tokenizer, model = _read_folder(source, dtype)
    else:
        try:  # what is cached needs no network, and no time-out where there is none
            tokenizer, model = _from_pretrained(source, dtype=dtype, revision=commit, local_files_only=True)
        except OSError:
            tokenizer, model = _from_hub(source, dtype=dtype, revision=commit)
    return LoadedModel(
        model=model.to(device).eval(),
        tokenizer=tokenizer,
        source=str(source),
        revision=None if isinstance(source, Path) else _commit(source, revision),
        context_length=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        stop_ids=_stop_ids(model, tokenizer),
    )


def _read_folder(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    try:
        return _from_pretrained(folder, local_files_only=True, dtype=dtype)
    except OSError as error:
        raise MissingResourceError(f"model folder {folder} is not complete: {one_line(error)}") from error


def _from_pretrained(source: str | Path, *, dtype: torch.dtype, **options: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **options)
            model = AutoModelForCausalLM.from_pretrained(
                source,
                dtype=dtype,
                trust_remote_code=False,
                use_safetensors=True,  # never a pickled checkpoint
                attn_implementation="sdpa",
                **options,
            )
        except (ValueError, ImportError, KeyError) as error:
            raise ConfigurationError(f"transformers cannot load {source} as a chat model: {one_line(error)}") from error
    return tokenizer, model


def _from_hub(model_id: str, *, dtype: torch.dtype, revision: str) -> tuple[Any, Any]:
    """Load from the hub, after it was asked within seconds: from_pretrained takes minutes to give up."""
    fault: Exception | None = hub_fault(model_id, revision=revision)
    if fault is None:
        try:
            with hub_downloads(model_id):
                return _from_pretrained(model_id, dtype=dtype, revision=revision, local_files_only=False)
        except hub_errors() as error:
            fault = error
    said = hub_said(fault, model_id, revision=revision)
    raise MissingResourceError(
        f"{said}; a local folder (hf:DIR), a filled cache (HF_HOME) and the packaged smollm2 need none"
    ) from fault


def _commit(model_id: str, revision: str | None) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(model_id, "config.json", revision=revision)
    return Path(config).parent.name if isinstance(config, str) else None  # …/snapshots/COMMIT/config.json


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    configured = model.generation_config.eos_token_id
    stop_ids = set(configured if isinstance(configured, list) else [configured])
    stop_ids.add(tokenizer.eos_token_id)
    vocabulary = tokenizer.get_added_vocab()
    stop_ids.update(vocabulary[token] for token in _TURN_ENDS if token in vocabulary)
    return frozenset(stop_id for stop_id in stop_ids if stop_id is not None)


def _convert_gguf(gguf: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The reader of GGUF draws a bar of its own that no setting of transformers turns off.
    with quiet_transformers(), redirect_stderr(io.StringIO()):
        try:
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            # float32 holds what the file's scales and 4-bit steps multiply to, exactly; bfloat16 would not.
            read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        except ImportError as error:
            raise MissingResourceError("a GGUF file needs the package gguf; run: pip install gguf") from error
        # transformers takes a model read from GGUF for a quantized one and will not save it; a plain copy it saves.
        del read.config.quantization_config
        plain = AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
        plain.load_state_dict(read.state_dict())
        plain.generation_config = read.generation_config
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
