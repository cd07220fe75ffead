"""Keeps two processes from writing one run: the second is refused at once; reading a run is always allowed.

The operating system holds the lock, so that it ends with its process, however that ends; only its empty file may stay.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from data.common.errors import ConfigurationError
from data.common.files import faults_of_writing
from eval.rundir.journal import LOCK_FILE


@contextmanager
def sole_writer(run_dir: Path) -> Iterator[None]:
    """Be the one process that writes a run, whose folder is made where it is not there.

    Raises:
        ConfigurationError: Another process is, or the folder cannot be written.
    """
    lock = FileLock(run_dir / LOCK_FILE)
    with faults_of_writing(run_dir, "make it writable, or use another --out"):
        run_dir.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ConfigurationError(
                f"{run_dir} is in use: another process writes it; wait until that has ended, or start a run of its "
                "own with another --out"
            ) from None
    try:
        yield
    finally:
        with suppress(OSError):
            (run_dir / LOCK_FILE).unlink()  # still held: whoever waits for this file sees that it is gone
        lock.release()
