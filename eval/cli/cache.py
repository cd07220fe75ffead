"""`python -m eval cache stats|clear`: what the response cache holds, and its emptying."""

import argparse
from typing import TYPE_CHECKING

from data.common.terminal import emit, emit_json

if TYPE_CHECKING:
    from eval.execution.response_cache import ResponseCache


def cache(options: argparse.Namespace) -> int:
    """Print what the cache holds, or remove it all."""
    from eval.execution.response_cache import ResponseCache

    replies = ResponseCache()
    content = _cleared(replies) if options.action == "clear" else _held(replies)
    if options.json:
        emit_json(content)
    else:
        emit(_as_text(content))
    return 0


def _held(replies: "ResponseCache") -> dict[str, object]:
    path, counts, n_bytes = replies.stats()
    return {"path": str(path), "replies": sum(counts.values()), "bytes": n_bytes, "models": counts}


def _cleared(replies: "ResponseCache") -> dict[str, object]:
    return {"path": str(replies.path), "removed": replies.clear()}


def _as_text(content: dict[str, object]) -> str:
    if "removed" in content:
        return f"{content['removed']:,} replies removed from {content['path']}"
    lines = [f"{content['path']}: {content['replies']:,} replies, {content['bytes']:,} bytes"]
    models = content["models"]
    assert isinstance(models, dict)
    return "\n".join([*lines, *(f"  {name}  {count:,}" for name, count in models.items())])
