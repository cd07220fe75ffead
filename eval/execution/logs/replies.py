"""Rows of `{"id", "output"}` beside other logs: whose items they answer, the ids say."""

from collections.abc import Iterator
from pathlib import Path

from data.rows import read_rows
from eval.execution.logs.row import LogRow, make_row

NAMES = frozenset({"id", "output"})
_KEPT = ("output", "finish_reason", "reasoning", "latency_s")


def read(path: Path) -> Iterator[LogRow]:
    """Yield each reply.

    Raises:
        ConfigurationError: A row is damaged.
    """
    for place, row in read_rows(path):
        given = {name: row[name] for name in _KEPT if row.get(name) not in ("", None)}
        usage = {name: row[name] for name in ("input_tokens", "output_tokens") if row.get(name) not in ("", None)}
        prompt = row.get("prompt")
        messages = [{"role": "user", "content": prompt}] if prompt else []
        yield make_row(path, place, id=str(row["id"]), messages=messages, usage=usage, **given)
