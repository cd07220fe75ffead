"""What the operating system refuses a command, said in a line: memory, threads, files, names that are too long.

An exception in, a sentence out; None for what is the program's own fault.
"""

import re
from pathlib import Path

NO_THREAD = "the system starts no more threads; end other programs, or raise its limit (ulimit -u)"
_LONG_WORD = re.compile(r"\S{240,}")


def system_fault(error: BaseException) -> str | None:
    """Say what the system refused; None where an error is no such refusal."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, RecursionError):
        return "something is nested too deeply to be read"
    if isinstance(error, RuntimeError):
        return NO_THREAD if "start new thread" in str(error) else None
    if isinstance(error, FileNotFoundError) and error.filename is None and (gone := folder_fault()):
        return gone
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    return None


def shortened(message: str) -> str:
    """Return a message in which no word, such as a path, is longer than a few lines."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:120]}…{word[0][-60:]}", message)


def folder_fault() -> str | None:
    """Say so where the folder that a command was started in was deleted: relative paths lead nowhere then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the folder that this command was started in is not there any more; change to another one"
    return None
