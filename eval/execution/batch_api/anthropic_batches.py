"""Anthropic's Message Batches: requests in one call, and a line for each of them once all have ended.

Source:
    https://docs.anthropic.com/en/docs/build-with-claude/batch-processing and
    https://docs.anthropic.com/en/api/creating-message-batches.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from data.common.parsing import JsonObject
from eval.execution.batch_api.providers import Answer, Batch, IncompleteReadError, UncertainError
from eval.execution.batch_api.requests import Request

_PATH = "/v1/messages/batches"
_CLOCKS_S = 3600.0  # by which this machine's clock and the provider's may differ
_UPLOAD_S = 600.0
# The statuses of the errors of single calls; of one that expired or was cancelled, one that may be asked again.
# Source: https://docs.anthropic.com/en/api/errors
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_NOT_WORKED_ON = 503


class AnthropicBatches:
    """The batches of one key.

    A batch carries no mark of its own: it is known by the names of its requests, which its answers alone repeat.

    Args:
        client: Of Anthropic's SDK.
    """

    most_requests = 100_000
    most_bytes = 256_000_000

    def __init__(self, client: Any) -> None:
        self._client = client.with_options(max_retries=0, timeout=_UPLOAD_S)  # whoever calls asks again

    def line(self, request: Request, name: str) -> JsonObject:
        """Return one of a batch's requests."""
        params = {field: value for field, value in request.body.items() if field != "stream"}
        return {"custom_id": name, "params": params}

    def upload(self, path: Path) -> str:
        """Do nothing: the requests are sent with the call that begins their batch."""
        return path.name

    def begin(self, uploaded: str, path: Path, mark: str) -> str:
        """Begin a batch of a file's requests."""
        content = b'{"requests":[' + b",".join(path.read_bytes().split(b"\n")[:-1]) + b"]}"
        headers = {"Content-Type": "application/json"}
        made = self._client.post(_PATH, cast_to=object, content=content, options={"headers": headers})
        return str(made["id"])

    def find(self, mark: str, names: Sequence[str], since: float) -> str | None:
        """Return the batch of so many requests whose answers have these names."""
        after: JsonObject = {}
        while True:
            page = self._client.get(_PATH, cast_to=object, options={"params": {"limit": 100, **after}})
            for one in page["data"]:
                if datetime.fromisoformat(one["created_at"]).timestamp() < since - _CLOCKS_S:
                    return None
                if sum(one["request_counts"].values()) == len(names) and self._is_of(one, set(names)):
                    return str(one["id"])
            if not page.get("has_more"):
                return None
            after = {"after_id": page["last_id"]}

    def _is_of(self, found: JsonObject, names: set[str]) -> bool:
        if found["processing_status"] != "ended":
            raise UncertainError(str(found["id"]))
        return any(answer.id in names for answer in self._lines(str(found["id"])))

    def look(self, batch_id: str) -> Batch:
        """Return how a batch stands."""
        found = self._client.get(f"{_PATH}/{batch_id}", cast_to=object)
        counts, state = found["request_counts"], str(found["processing_status"])
        done = sum(count for name, count in counts.items() if name != "processing")
        return Batch(batch_id, state, state == "ended", done, "", sum(counts.values()))

    def answers(self, batch: Batch) -> list[Answer]:
        """Return what came of each request."""
        lines = self._lines(batch.id)
        if len(lines) < batch.answers:
            raise IncompleteReadError(f"the answers of {batch.id} are {len(lines)} lines of {batch.answers}")
        return lines

    def _lines(self, batch_id: str) -> list[Answer]:
        from httpx2 import Response

        text = self._client.get(f"{_PATH}/{batch_id}/results", cast_to=Response).content.decode()
        try:
            return [_answer(json.loads(line)) for line in text.split("\n") if line.strip()]
        except ValueError:
            raise IncompleteReadError(f"the answers of {batch_id} end within a line") from None

    def cancel(self, batch_id: str) -> None:
        """Have a batch end early."""
        self._client.post(f"{_PATH}/{batch_id}/cancel", cast_to=object)


def _answer(line: JsonObject) -> Answer:
    result = line["result"]
    if result["type"] == "succeeded":
        return Answer(str(line["custom_id"]), 200, result["message"])
    error = result.get("error") or {"type": "error", "error": {"type": result["type"], "message": result["type"]}}
    status = _STATUSES.get(str((error.get("error") or {}).get("type")), _NOT_WORKED_ON)
    return Answer(str(line["custom_id"]), status, error)
