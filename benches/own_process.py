"""Work measured in a process of its own: seconds of the work, and by how much it raised the most memory in use.

Here is both sides: `in_own_process` starts a bench's module and reads its figures; `answer` is what that module does.
The work is done on a few items first. So what it imports is there, and no part of the figures, when it is measured.
"""

import gc
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benches.table import timed

ROOT = Path(__file__).parent.parent
# Loads the input of some work and returns the work.
Prepare = Callable[[], Callable[[], object]]


class Measured(NamedTuple):
    """What some work took.

    Attributes:
        seconds: How long the work took, its input being loaded.
        peak_bytes: Most resident memory with its input, less what was resident before that.
    """

    seconds: float
    peak_bytes: int


def in_own_process(module: str, arguments: Sequence[str]) -> Measured:
    """Run a module that ends in `answer` and return what it measured.

    Raises:
        RuntimeError: It failed; its last words are in the message.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {done.returncode}: {last}")
    return Measured(*json.loads(done.stdout.splitlines()[-1]))


def measure(few: Prepare, whole: Prepare) -> Measured:
    """Measure work on its whole input, after the same on a few items."""
    few()()
    gc.collect()
    forget_peak()
    before = peak_bytes()
    work = whole()
    seconds = timed(work).seconds
    return Measured(seconds, max(0, peak_bytes() - before))


def answer(measured: Measured) -> None:
    """Print the figures where `in_own_process` reads them."""
    print(json.dumps(measured))


def peak_bytes() -> int:
    """Return the most memory that has been resident in this process.

    From /proc where there is one: `ru_maxrss` of a process begins with that of the one that started it.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def forget_peak() -> None:
    """Let the peak start from what is resident now, where the system can: imports need more for a moment."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return
