# PYTHON_ARGCOMPLETE_OK -- by this line shells that complete every Python program know that it can be asked
"""`python -m eval`, and `tune-or-prompt` where the project is installed: run, compare and read evaluations."""

import gc
import sys
from typing import NoReturn

from eval.cli.parser import main


def run_process(*, installed: bool = True) -> NoReturn:
    """Run the command of this process to its end."""
    # What a run imports and keeps is no garbage: by default all of it is looked through again and again as it grows,
    # and, not to be frozen, once more for half a second when the command ends.
    gc.set_threshold(100_000, 20, 20)
    code = main(installed=installed)
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    run_process(installed=False)
