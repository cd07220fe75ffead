"""The Batch API of OpenAI, and of servers that speak it: a file of requests in, files of answers and of errors out.

Source:
    https://platform.openai.com/docs/guides/batch and https://platform.openai.com/docs/api-reference/batch.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from data.common.parsing import JsonObject
from eval.execution.batch_api.providers import Answer, Batch, IncompleteReadError
from eval.execution.batch_api.requests import Request

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_MARK = "run_mark"  # in a batch's metadata
_CLOCKS_S = 3600.0  # by which this machine's clock and the provider's may differ
_NOT_WORKED_ON = 503  # of a request that expired or was cancelled: it may be asked again
_UPLOAD_S = 600.0


class OpenAIBatches:
    """The batches of one key.

    Args:
        client: Of OpenAI's SDK.
    """

    most_requests = 50_000
    most_bytes = 200_000_000

    def __init__(self, client: Any) -> None:
        self._client = client.with_options(max_retries=0, timeout=_UPLOAD_S)  # whoever calls asks again

    def line(self, request: Request, name: str) -> JsonObject:
        """Return a line of an input file."""
        body = {field: value for field, value in request.body.items() if field != "stream"}
        return {"custom_id": name, "method": "POST", "url": request.path, "body": body}

    def upload(self, path: Path) -> str:
        """Upload a file, which costs nothing."""
        with path.open("rb") as file:
            return str(self._client.files.create(file=(path.name, file), purpose="batch").id)

    def begin(self, uploaded: str, path: Path, mark: str) -> str:
        """Begin the batch of a file that was uploaded."""
        with path.open("rb") as file:
            endpoint = json.loads(file.readline())["url"]
        made = self._client.batches.create(
            input_file_id=uploaded, endpoint=endpoint, completion_window="24h", metadata={_MARK: mark}
        )
        return str(made.id)

    def find(self, mark: str, names: Sequence[str], since: float) -> str | None:
        """Return the batch that carries a mark."""
        for batch in self._client.batches.list(limit=100):  # the newest first
            if (batch.metadata or {}).get(_MARK) == mark:
                return str(batch.id)
            if batch.created_at < since - _CLOCKS_S:
                return None
        return None

    def look(self, batch_id: str) -> Batch:
        """Return how a batch stands."""
        found = self._client.batches.retrieve(batch_id)
        counts, errors = found.request_counts, (found.errors.data if found.errors else None) or []
        fault = "; ".join(str(error.message or error.code) for error in errors) or "the provider does not say why"
        return Batch(
            id=batch_id,
            state=found.status,
            ended=found.status in _ENDED,
            done=counts.completed + counts.failed if counts else 0,
            fault=fault if found.status == "failed" else "",
            answers=found,
        )

    def answers(self, batch: Batch) -> list[Answer]:
        """Return the lines of the file of answers and of the file of errors."""
        found, counts = batch.answers, batch.answers.request_counts
        files = ((found.output_file_id, counts and counts.completed), (found.error_file_id, counts and counts.failed))
        return [answer for file_id, n in files for answer in self._lines(file_id, n or 0)]

    def _lines(self, file_id: str | None, n: int) -> list[Answer]:
        text = self._client.files.content(file_id).content.decode() if file_id else ""
        try:
            lines = [_answer(json.loads(line)) for line in text.split("\n") if line.strip()]
        except ValueError:
            raise IncompleteReadError(f"the file {file_id} of a batch ends within a line") from None
        if len(lines) < n:
            raise IncompleteReadError(f"the file {file_id} of a batch holds {len(lines)} of {n} lines")
        return lines

    def cancel(self, batch_id: str) -> None:
        """Have a batch end early."""
        self._client.batches.cancel(batch_id)


def _answer(line: JsonObject) -> Answer:
    response = cast(JsonObject, line.get("response") or {})
    if response:
        return Answer(str(line["custom_id"]), int(response["status_code"]), response.get("body") or {})
    return Answer(str(line["custom_id"]), _NOT_WORKED_ON, {"error": line.get("error") or {}})
