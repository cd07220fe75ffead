"""The batches of one system: what has ended is taken into its call ledger, and what was written down is sent.

    requests in files ─ send ─ the id in the journal ─ … ─ collect ─ usage and replies in the ledger

The run's usual way then answers the items whose replies are there, and writes the requests of the others down.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage

from chains.models.reply_fields import BATCHED, read_usage
from data.common.errors import ConfigurationError
from data.common.line_file import cut_torn_line
from data.common.progress import log
from data.types import Item, Record
from eval.execution.batch_api.journal import BatchEntry, BatchJournal
from eval.execution.batch_api.persistence import Returned, persistently
from eval.execution.batch_api.providers import Answer, Batch, BatchProvider, UncertainError, provider_of
from eval.execution.batch_api.replies import BatchReplies, RequestFile
from eval.execution.batch_api.requests import reader_of
from eval.execution.call_ledger import FREE, CallLedger, Entry, as_data, ledger_path, read_ledger
from eval.execution.faults import describe, judge, may_be_billed, status_of
from eval.execution.replay import KnownReplies
from eval.execution.retry import Calls
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.system import System

_GONE = frozenset({401, 403, 404})


class NotAnsweredError(Exception):
    """No batch has answered the item, however often it was asked."""


class _Sent(NamedTuple):
    """What the ledger says of calls.

    Attributes:
        calls: The entries of those that were to be sent, by their ids.
        settled: The ids of those of which it is known what came of them.
        times: How often each item was asked.
    """

    calls: dict[str, Entry]
    settled: set[str]
    times: Counter[str]


class SystemBatches:
    """The batches of one system.

    Args:
        system: It can be put into batches.
        run_dir: The run's folder.
        policy: How calls are made.

    Attributes:
        open: What is known of the batches that are still to be answered, by their marks; None: not even their ids.
    """

    def __init__(self, system: System, run_dir: Path, policy: CallPolicy) -> None:
        self._system, self._run_dir, self._policy = system, run_dir, policy
        self._journal = BatchJournal(run_dir / system.name)
        self._faults: dict[str, Exception] = {}
        self.open: dict[str, Batch | None] = {}

    @cached_property
    def _provider(self) -> BatchProvider:
        return provider_of(self._system)

    # ── What has ended ───────────────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> None:
        """Take what has ended into the call ledger; `open` is what has not.

        Raises:
            ConfigurationError: The provider refuses it, or a batch, for good.
        """
        self.open, self._faults, entries = {}, {}, self._journal.entries()
        for mark in self._journal.waiting():
            entry = entries.get(mark)
            if entry is not None and entry.ended:
                self._journal.requests_path(mark).unlink(missing_ok=True)
            elif entry is not None and entry.id:
                batch = self._look(entry.id)
                if batch.ended:
                    self._settle(mark, batch)
                else:
                    self.open[mark] = batch

    def _look(self, batch_id: str) -> Batch:
        def look() -> Batch:
            try:
                return self._provider.look(batch_id)
            except Exception as error:
                if status_of(error) in _GONE:
                    raise ConfigurationError(
                        f"batch {batch_id} of {self._system.name} is not there for this key ({describe(error)}): it "
                        "was begun with another key, or was deleted; use that key, or delete "
                        f"{self._journal.path} to ask its requests again"
                    ) from None
                raise

        return self._persistently(look, f"looking for batch {batch_id}")

    def _settle(self, mark: str, batch: Batch) -> None:
        """Write down what came of the requests of a batch that has ended: of each once, however often it is tried."""
        answers: list[Answer] = []
        if not batch.fault:
            answers = self._persistently(lambda: self._provider.answers(batch), f"fetching what {batch.id} answered")
        by_name = {answer.id: answer for answer in reversed(answers)}  # of two to one request the first counts
        sent, read = self._sent(), reader_of(self._model)
        path = ledger_path(self._run_dir, self._system.name)
        n_replies = n_faults = 0
        with CallLedger(path, (), _raise) as ledger:
            for name in self._journal.names(mark):
                call = sent.calls.get(name)
                if call is None or name in sent.settled:
                    continue
                reply = _read(read, by_name.get(name), batch)
                if isinstance(reply, AIMessage):
                    said: dict[str, Any] = {"usage": read_usage(reply), "reply": as_data(reply)}
                else:
                    said = {"usage": {} if may_be_billed(reply) else FREE}
                    self._note_fault(call.item, reply, sent.times[call.item])
                n_replies, n_faults = n_replies + ("reply" in said), n_faults + ("reply" not in said)
                ledger.append(call.model_copy(update={"most": None, **said}))
        self._journal.append(BatchEntry(mark=mark, ended=batch.state))
        self._journal.requests_path(mark).unlink(missing_ok=True)
        if batch.fault:
            raise ConfigurationError(
                f"stopped: the provider of {self._system.name} took no request of batch {batch.id}: {batch.fault}; "
                f"mend that and go on with --resume {self._run_dir}"
            )
        failed = f", failed or not worked on: {n_faults:,}" if n_faults else ""
        log(f"{self._system.name}: batch {batch.id} is {batch.state}: replies: {n_replies:,}{failed}")

    def _note_fault(self, item: str, fault: Exception, times: int) -> None:
        """Keep a fault that is the item's answer; after one that passes it is asked again."""
        if judge(fault, proven=True) != "again":
            self._faults[item] = fault
        elif times > self._policy.retries:
            self._faults[item] = NotAnsweredError(f"asked {times} times in batches; last: {describe(fault)}")

    def _sent(self) -> _Sent:
        calls, settled, times = dict[str, Entry](), set[str](), Counter[str]()
        for entry in read_ledger(ledger_path(self._run_dir, self._system.name)):
            if entry.most is not None:
                calls[entry.call] = entry
                times[entry.item] += 1
            elif entry.usage is not None:
                settled.add(entry.call)
        return _Sent(calls, settled, times)

    # ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_waiting(self) -> bool:
        """Whether requests are written down that are still to be answered, sent or not."""
        return bool(self._journal.waiting())

    def free(self, items: Sequence[Item]) -> list[Item]:
        """Return the items that wait for no batch."""
        marks = self._journal.waiting()
        if not marks:
            return list(items)
        calls = self._sent().calls
        waiting = {calls[name].item for mark in marks for name in self._journal.names(mark) if name in calls}
        return [item for item in items if item.id not in waiting]

    def replies(self, calls: Calls) -> KnownReplies:
        """Return the replies that are known; an item without one is written down, or asked at once with --then live."""
        if self._asks_live():
            return KnownReplies(self._model, calls.cache)

        def unwritten(error: OSError) -> None:
            calls.halt_unwritten(str(self._journal.path.parent), error)

        file = RequestFile(self._provider, self._journal, unwritten)
        return BatchReplies(self._model, calls.cache, faults=self._faults, write=file.write)

    def _asks_live(self) -> bool:
        return self._policy.then == "live" and any(entry.ended for entry in self._journal.entries().values())

    @property
    def _model(self) -> Any:
        if self._system.remote is None:
            raise ValueError(f"{self._system.name} asks no model over a network")
        return self._system.remote.model

    def untimed(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records without a time, where what is known is that of reading a reply."""
        is_live = self._asks_live()
        for one in records:
            batched = one.prediction is not None and "batch_input_tokens" in one.prediction.usage
            yield one.model_copy(update={"latency_s": None}) if batched or not is_live else one

    # ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self) -> None:
        """Begin a batch of each file of requests that has none; its id is on the disk before this returns.

        Raises:
            ConfigurationError: The provider refuses it for good.
        """
        entries = self._journal.entries()
        for mark in self._journal.waiting():
            path, entry = self._journal.requests_path(mark), entries.get(mark)
            if entry is not None and entry.id:
                continue
            if entry is None:
                cut_torn_line(path)
                if not path.stat().st_size:
                    path.unlink()
                    continue
            try:
                batch_id = self._begun(mark, path, entry)
            except UncertainError:
                self.open[mark] = None
                continue
            self._journal.append(BatchEntry(mark=mark, id=batch_id))
            names = sum(1 for _ in self._journal.names(mark))
            log(f"{self._system.name}: batch {batch_id} is sent; requests: {names:,}")
            self.open[mark] = Batch(batch_id, "sent", ended=False, done=0, fault="", answers=None)

    def _begun(self, mark: str, path: Path, entry: BatchEntry | None) -> str:
        """Return the id of a batch that was begun now, or earlier without that its id came back."""
        may_be_there = entry is not None
        if entry is None:
            entry = BatchEntry(mark=mark, since=time.time())
            self._journal.append(entry)
        doing, uploaded = f"sending a batch of {self._system.name}", ""
        find = partial(self._provider.find, mark, list(self._journal.names(mark)), entry.since)

        def begin() -> str:
            nonlocal may_be_there, uploaded
            if may_be_there and (found := self._persistently(find, doing)):
                return found
            uploaded = uploaded or self._persistently(partial(self._provider.upload, path), doing)
            may_be_there = True
            return self._provider.begin(uploaded, path, mark)

        return self._persistently(begin, doing)

    def cancel(self) -> None:
        """Have the open batches end early; what they have answered by then is collected by who goes on."""
        for batch in filter(None, self.open.values()):
            self._persistently(partial(self._provider.cancel, batch.id), f"cancelling batch {batch.id}")
            log(f"{self._system.name}: batch {batch.id} is cancelled; what it has answered is kept for --resume")

    def _persistently(self, action: Callable[[], Returned], doing: str) -> Returned:
        return persistently(action, self._policy, doing=doing, remedy=f"go on with --resume {self._run_dir}")


def open_batches(run_dir: Path, names: Iterable[str]) -> list[str]:
    """Return the names of the systems whose requests wait in batches."""
    return [name for name in names if BatchJournal(run_dir / name).waiting()]


def _read(read: Any, answer: Answer | None, batch: Batch) -> AIMessage | Exception:
    """Return what a model makes of an answer, with the mark that it was paid for in a batch."""
    if answer is None:
        return ConnectionError(f"batch {batch.id} is {batch.state}, and the request was not worked on")
    try:
        message: AIMessage = read(answer.status, answer.body)
    except Exception as error:  # noqa: BLE001  # what the provider's client makes of an error, or of nonsense
        return error
    message.response_metadata[BATCHED] = True
    return message


def _raise(error: OSError) -> None:
    raise error
