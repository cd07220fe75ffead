"""The replies that a system's items have had in batches; the request of an item that has had none is written down.

To the run's usual way a model that is asked by batches is one whose replies are in the call ledger.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from data.common.line_file import append_whole
from eval.execution.batch_api.journal import BatchJournal
from eval.execution.batch_api.providers import BatchProvider
from eval.execution.batch_api.requests import Request, written_by
from eval.execution.call_ledger import ItemLedger
from eval.execution.rate_limits import Halt
from eval.execution.replay import Call, KnownReplies
from eval.execution.response_cache import ResponseCache


class RequestFile:
    """Writes requests into files, each as large as a batch may be.

    Args:
        provider: Whose requests they are.
        journal: It names the files.
        on_fault: Called where a file cannot be written, which ends the run.
    """

    def __init__(self, provider: BatchProvider, journal: BatchJournal, on_fault: Callable[[OSError], None]) -> None:
        self._provider, self._journal, self._on_fault = provider, journal, on_fault
        self._lock = Lock()
        self._path: Path | None = None
        self._requests = self._bytes = 0

    def write(self, request: Request) -> None:
        """Write a request down.

        Raises:
            Halt: It cannot be written.
        """
        line = json.dumps(self._provider.line(request, request.call), ensure_ascii=False).encode() + b"\n"
        with self._lock:
            is_full = self._requests == self._provider.most_requests
            if self._path is None or is_full or self._bytes + len(line) > self._provider.most_bytes:
                self._path, self._requests, self._bytes = self._journal.requests_path(uuid4().hex), 0, 0
            self._requests += 1
            self._bytes += len(line)
            try:
                with self._path.open("ab", buffering=0) as file:
                    append_whole(file, line)
            except OSError as error:
                self._on_fault(error)
                raise Halt from None


class BatchReplies(KnownReplies):
    """The replies that one model was given in batches.

    Args:
        model: Whose they are.
        cache: The response cache; None: none is used.
        faults: What was answered in the place of a reply, by item id.
        write: Takes the requests that have had no answer yet.
    """

    def __init__(
        self,
        model: BaseChatModel,
        cache: ResponseCache | None,
        *,
        faults: Mapping[str, Exception],
        write: Callable[[Request], None],
    ) -> None:
        super().__init__(model, cache)
        self._faults, self._write = faults, write

    def of(self, model: BaseChatModel) -> BaseChatModel:
        return super().of(written_by(model, self._write))

    def find(
        self,
        messages: Sequence[BaseMessage],
        parameters: Mapping[str, Any],
        metadata: Mapping[str, Any],
        item: ItemLedger,
    ) -> Call:
        call = super().find(messages, parameters, metadata, item)
        if call.reply is None and (fault := self._faults.get(item.item_id)) is not None:
            raise fault
        if call.reply is None and not call.key.request:
            raise ValueError(
                "something in the request has no stable text, so that no batch's reply could be told apart"
            )
        return call
