"""Names that become folders of a run, checked wherever they are read: a file of somebody else's may name another place.

A name in, the name out, as a type of the models that hold one.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from data.common.text import plain

THRESHOLDS_FILE = "thresholds.json"  # in a cascade's folder
RUNS_DIR = Path("runs")
MANIFEST_FILE = "manifest.json"  # where it is, there is a run
LONGEST_NAME = 200  # bytes; a file system takes 255, and a run's name may get a number
_PLAIN = re.compile(r"[^\W_][\w.-]*")  # letters of any script
# Files that stand beside the systems' folders in a run.
_RESERVED = frozenset({MANIFEST_FILE, "summary.json", "report.md", "report.html", "langsmith.jsonl"})


def new_run_dir(name: str, *, suffix: str = "") -> Path:
    """Return the first of runs/NAME, runs/NAME-2, … that does not exist, with a file's suffix: none is overwritten."""
    candidate, number = RUNS_DIR / f"{name}{suffix}", 1
    while candidate.exists():
        number += 1
        candidate = RUNS_DIR / f"{name}-{number}{suffix}"
    return candidate


def plain_name(text: str) -> str:
    """Turn a spec such as hf:ORG/NAME or endpoint:NAME@URL into what can be a folder's name: its last part."""
    last = text.split("@http")[0].rstrip("/").rsplit("/", 1)[-1]
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in last).strip("-.") or "system"


def plain_name_fault(name: str) -> str | None:
    """Say why a name cannot be that of a folder; None where it can be."""
    shown = plain(name[:LONGEST_NAME], one_line=True)
    if (length := len(name.encode(errors="replace"))) > LONGEST_NAME:
        return f"'{shown[:20]}…' cannot be a folder's name: it takes {length:,} bytes, more than {LONGEST_NAME}"
    if not _PLAIN.fullmatch(name):
        return f"'{shown}' cannot be a folder's name: give letters, digits, '.', '_' and '-', a letter or digit first"
    return None


def system_name_fault(name: str) -> str | None:
    """Say why a name cannot be a system's, whose folder stands beside the files of a run; None where it can be."""
    if fault := plain_name_fault(name):
        return fault
    if name.lower() in _RESERVED or name.lower().endswith(".svg"):  # a report's drawings
        return f"system '{name}' would take the place of a file of the run; choose another name"
    return None


def check_folders(systems: Iterable[str]) -> None:
    """Refuse systems of a run of which two would have one folder, on a file system that knows no capitals either.

    Raises:
        ValueError: Two are named alike.
    """
    if twice := [name for name, count in Counter(map(str.lower, systems)).items() if count > 1]:
        raise ValueError(f"two systems are named '{min(twice)}'; a name is a folder of the run")


def _plain(name: str) -> str:
    if fault := plain_name_fault(name):
        raise ValueError(fault)
    return name


def _of_system(name: str) -> str:
    if fault := system_name_fault(name):
        raise ValueError(fault)
    return name


PlainName = Annotated[str, AfterValidator(_plain)]
SystemName = Annotated[str, AfterValidator(_of_system)]
