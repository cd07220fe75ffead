"""Environments of their own for the tools that the project is compared with, so that their needs touch nothing of ours.

In comes a list of requirements, out comes the environment's Python: made once in the project's cache, by pip with
whatever package index the user has configured, and made anew when the requirements change.
"""

import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from data.common.errors import MissingResourceError
from data.common.packaged import cache_dir


def peer_python(name: str, requirements: Sequence[str]) -> Path:
    """Return the Python of the peer's environment, installing it if this is the first time.

    Args:
        name: The name of the environment's folder in the cache.
        requirements: As pip takes them; pinned.

    Raises:
        MissingResourceError: pip cannot install them.
    """
    folder = cache_dir() / "peers" / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = "\n".join([sys.version.split()[0], *requirements]) + "\n"
    installed = folder / "installed.txt"  # written last: an interrupted installation is begun again
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if installed.is_file() and installed.read_text(encoding="utf-8") == wanted:
            return python
        print(f"installing {', '.join(requirements)} in {folder} (once, some minutes)", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise MissingResourceError(f"pip cannot install {', '.join(requirements)}; see its messages above")
        installed.write_text(wanted, encoding="utf-8")
    return python


def same_release(package: str) -> str:
    """Return the requirement for the release of a package that runs here, such as `torch==2.13.0`."""
    # A local version such as 2.13.0+cpu is only on the index that it came from; pip takes it there for 2.13.0 too.
    return f"{package}=={version(package).split('+')[0]}"
