"""Which copy of the project runs: a checkout of it, or one that is installed among other packages."""

import tomllib
from importlib import metadata
from pathlib import Path

NAME = "tune-or-prompt"
_ROOT = Path(__file__).parent.parent.parent


def checkout() -> Path | None:
    """Return the folder of the checkout that runs; None where the project is installed."""
    # Other packages may have left a pyproject.toml beside themselves; nobody else has this file.
    return _ROOT if (_ROOT / "packaged-weights.txt").is_file() else None


def version() -> str:
    """Return the version of the project: the checkout's own, whichever version is installed beside it."""
    folder = checkout()
    if folder is None:
        return metadata.version(NAME)
    declared = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return str(declared["project"]["version"])
