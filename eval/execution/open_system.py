"""Makes a system ready to answer: its predictor, what bounds its calls, and which replies need not be asked for."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from chains.models.specs import key_names
from data.types import Item, Record
from eval.execution.attempt import OpenSystem
from eval.execution.batch_api.system_batches import SystemBatches
from eval.execution.batches import answer_in_batches
from eval.execution.call_ledger import CallLedger, ledger_path
from eval.execution.executor import answer_one_by_one
from eval.execution.first_faults import FirstFaults
from eval.execution.replay import known_replies
from eval.execution.retry import Calls
from eval.execution.throttle import Throttle
from eval.plan.call_prices import rate_of
from eval.plan.system import System
from eval.rundir.description import model_spec
from eval.rundir.journal import records_path


@contextmanager
def answered(
    system: System,
    items: Sequence[Item],
    run_dir: Path,
    benchmark: str,
    *,
    max_concurrency: int,
    calls: Calls,
    batches: SystemBatches | None = None,
) -> Iterator[Iterator[Record]]:
    """Have a system answer items: inside, the records come as each item is answered.

    They end when all items are answered or `calls` is stopped. What is in flight then is waited for; an item that only
    waits for an attempt is left out.

    Args:
        system: It answers in batches, or one by one.
        items: What is asked.
        run_dir: The run's folder.
        benchmark: The name of the items' benchmark, for traces.
        max_concurrency: Calls in flight, at most, where it answers one by one.
        calls: What the run's calls share.
        batches: Where the replies come from, and where the requests go that have none; None: the model is asked now.
    """
    known = known_replies(system, calls.cache) if batches is None else batches.replies(calls)
    if system.remote is None or known is None:
        predictor = system.open(run_dir / system.name)
    else:
        predictor = system.remote.predictor_with(known.of(system.remote.model))  # not the user's own object
    names = {"run": run_dir.name, "system": system.name, "benchmark": benchmark}
    if system.batch_size is not None:
        answers = answer_in_batches(predictor, items, names, size=system.batch_size, stop=calls.stop)
        with closing(answers) as records:
            yield records
        return
    path = ledger_path(run_dir, system.name)
    with CallLedger(path, {item.id for item in items}, partial(calls.halt_unwritten, str(path))) as ledger:
        opened = OpenSystem(
            predictor,
            names,
            first_faults=FirstFaults(records_path(run_dir, system.name), calls.policy.retries),
            calls=calls,
            throttle=Throttle(max_concurrency, first_wait_s=calls.policy.first_wait_s, waits=calls.waits),
            rate=None if calls.budget is None else rate_of(system),
            reply_tokens=system.reply_tokens or 0,
            known=known,
            ledger=ledger,
            keys=key_names(model_spec(system.description)),
        )
        with closing(answer_one_by_one(opened, items, max_concurrency)) as records:
            yield records if batches is None else batches.untimed(records)
