"""What a command returns, on standard output: much of it is somebody else's text, and none of it may work there."""

import json
import sys
from typing import Any

from data.plain_text import plain, plain_json


def emit(text: str) -> None:
    """Print text, without control characters."""
    sys.stdout.write(plain(text).rstrip("\n") + "\n")


def emit_json(content: Any) -> None:
    """Print a value as JSON, with control characters escaped."""
    emit_json_text(json.dumps(content, ensure_ascii=False, indent=2))


def emit_json_text(text: str) -> None:
    """Print what is JSON already."""
    emit(plain_json(text))
