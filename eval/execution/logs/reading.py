"""A log's rows, with the right choice of each item found: a file in, its rows in a spool, and what it does not hold.

Right answers that are numbers can count from 0 or from 1, which only all of them together tell: so a file is read to
its end before any of its rows is taken.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chains.reading.reply import read_text
from data.columns import Roles
from data.common.errors import ConfigurationError
from data.question_rows import answers_count_from, target_of
from data.splits import fold
from eval.execution.logs.registry import Format
from eval.execution.logs.row import LogRow
from eval.execution.logs.spool import Spool

# What a row may hold beside its reply, and what it is called.
_PARTS = {
    "messages": "prompts",
    "usage": "token counts",
    "usd": "costs",
    "latency_s": "times",
    "probs": "probabilities",
    "score": "scores of its own",
}

_ROLES = Roles("multiple-choice", {}, "answer", "question", ("choices",))


@dataclass
class LogFile:
    """A log that was read.

    Attributes:
        path: The file.
        format: Its format.
        places: The places of its rows in the spool, in their order.
        faults: Why rows were left out: reason → how many.
        held: What any of its rows holds, by the names of a row's fields.
        has_items: Whether any of its rows says which item it answers, and what is right.
        n_prompts: How many of its rows hold what was sent alone.
    """

    path: Path
    format: Format
    places: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    held: set[str] = field(default_factory=set)
    has_items: bool = False
    n_prompts: int = 0

    @property
    def is_prompts(self) -> bool:
        """Whether its rows hold what was sent alone."""
        return self.n_prompts > 0

    def notes(self) -> list[str]:
        """Say what was left out of the file and what it does not hold, a sentence each."""
        found = [f"{self.path}: {n:,} of its rows left out, for {reason}" for reason, n in self.faults.items()]
        lacking = [name for part, name in _PARTS.items() if part not in self.held]
        if lacking and not self.is_prompts and not self.format.is_reply_file:
            found.append(f"{self.path} holds no {_listed(lacking)}: what follows from them is unknown")
        return found


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + (" or " if len(names) > 1 else "") + names[-1]


def read_log(path: Path, format: Format, spool: Spool, *, answers_from: int | None) -> LogFile:
    """Read a log into a spool.

    Args:
        path: The file.
        format: The format of the file.
        spool: Where its rows are put.
        answers_from: Whether right answers that are numbers count from 0 or from 1; None: as they can only be meant.

    Raises:
        ConfigurationError: The file is damaged, holds no row, or its right answers may be meant in two ways.
    """
    log = LogFile(path, format)
    with Spool() as raw:
        places, open_places, models = list[int](), list[int](), set[str]()
        for row in format.read(path):
            places.append(raw.append(row))
            models.add(row.model)
            if row.choices and row.target is None and row.answer and not row.fault:
                open_places.append(places[-1])
        if not places:
            raise ConfigurationError(f"{path} holds no rows")
        count_from = _count_from(map(raw.row, open_places)) if answers_from is None else answers_from
        for row in map(raw.row, places):
            if not row.model and len(models) == 2:  # a call that failed names none, beside others of one model
                row = row.model_copy(update={"model": max(models)})
            found = _resolved(row, f"{path}, {row.place}", count_from)
            if found.fault:
                log.faults[found.fault] += 1
                continue
            log.places.append(spool.append(found))
            log.has_items |= found.has_item
            log.n_prompts += found.is_prompt
            log.held |= {part for part in _PARTS if getattr(found, part) not in (None, (), {})}
            log.held |= {"probs"} if found.logprobs else set()
    if not log.places:
        raise ConfigurationError(f"{path}: none of its {len(places):,} rows can be scored: {min(log.faults)}")
    return log


def _count_from(rows: Iterable[LogRow]) -> int | None:
    """Return what right answers that are numbers count from; None where they are none, or may be meant in both ways.

    Args:
        rows: Those with choices whose right answer is to be looked for among these.
    """
    return answers_count_from(({"answer": row.answer, "choices": [*row.choices]} for row in rows), _ROLES)


def _resolved(row: LogRow, where: str, count_from: int | None) -> LogRow:
    """Return a row with the right one of its choices, or with the reason why it has none."""
    if not row.fault and row.choices and len(set(map(fold, row.choices))) < max(len(row.choices), 2):
        return row.model_copy(update={"fault": "choices of which two are the same"})
    if row.fault or row.target is not None or not row.choices or not row.answer:
        return row
    try:
        target = target_of(row.answer, list(row.choices), list(row.names), where, count_from)
    except ConfigurationError:
        if row.answer.strip().isdecimal() and count_from is None:
            raise
        # What a reply is compared with may be a reply itself, such as "ANSWER: B".
        read = read_text(row.answer, row.choices, form="number", finish_reason="").extraction
        if read.choice is None:
            return row.model_copy(update={"fault": "a right answer that is none of its choices"})
        target = read.choice
    return row.model_copy(update={"target": target})
