"""The samples that lm-evaluation-harness writes with `--log_samples`: `samples_TASK_DATE.jsonl`, one row an item.

Of a task whose choices are compared, a row has the log-likelihood of each; their softmax is the distribution. Of a task
that generates text, it has the text. Rows of versions before 0.4.3, a list with bare arguments, are read too.

Source:
    `lm_eval/loggers/evaluation_tracker.py` and `lm_eval/api/task.py` (process_results), version 0.4.13.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError
from data.common.files import read_text
from data.common.parsing import JsonObject
from eval.execution.logs.document import read_document
from eval.execution.logs.row import LETTERS, LogRow, as_messages, as_number, first_score, log_rows, make_row

NAMES = frozenset({"doc", "arguments", "resps", "filtered_resps"})
_FILE = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT.+)")
# What is compared of the choices by each metric, the first that a row has.
_LENGTHS = {"acc": lambda text: 1, "acc_norm": len, "acc_bytes": lambda text: len(text.encode())}
_FIXED = NAMES | {"doc_id", "target", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
_SEVERAL = "several right answers"


class _Request(NamedTuple):
    """One request of a row: what was shown, and what was compared or asked for after it."""

    context: str
    continuation: object


def read(path: Path) -> Iterator[LogRow]:
    """Yield each item's reply; of a task with several filters, what the first one made of it.

    Raises:
        ConfigurationError: A row is damaged, or is none of lm-evaluation-harness'.
    """
    name = _FILE.fullmatch(path.stem)
    task, model, first = name["task"] if name else path.stem, _model(path, name), None
    for place, row in log_rows(path):
        first = row.get("filter") if first is None else first
        if row.get("filter") != first:
            continue
        try:
            fields = _fields(row)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ConfigurationError(f"{path}, {place}: no sample of lm-evaluation-harness ({error!r})") from None
        yield make_row(path, place, id=str(row.get("doc_id", place)), task=task, model=model, **fields)


def _model(path: Path, name: re.Match[str] | None) -> str:
    """Return the model that the aggregate of the same run names, which stands beside the samples."""
    beside = path.with_name(f"results_{name['date']}.json") if name else path
    if name is None or not beside.is_file():
        return ""
    try:
        content = json.loads(read_text(beside))
    except (OSError, ValueError):
        return ""
    return str(content.get("model_name") or "") if isinstance(content, dict) else ""


def _fields(row: Mapping[str, Any]) -> JsonObject:
    """Return the fields of a row that depend on what its task asks for."""
    requests, scores = _requests(row["arguments"]), _scores(row)
    replies: list[Any] = row["filtered_resps"]
    compared = len(requests) > 1 and all(isinstance(one.continuation, str) for one in requests)
    if compared and all(isinstance(reply, list) and len(reply) == 2 for reply in replies):
        return _compared(row, requests, [float(reply[0]) for reply in replies], scores)
    said: Any = row["resps"]
    while isinstance(said, list):
        said = said[0]
    if len(requests) > 1 or isinstance(requests[0].continuation, str):
        return {"fault": "no choices, but the likelihood of one text", "output": None}
    return {**_generated(row, requests[0]), "output": str(said), **_own_score(scores)}


def _requests(arguments: Any) -> list[_Request]:
    rows = [list(one.values()) for one in arguments.values()] if isinstance(arguments, dict) else arguments
    return [_Request(_context(one[0]), one[1] if len(one) > 1 else None) for one in rows]


def _context(shown: Any) -> str:
    """Return what was shown; messages of a chat come as JSON, alone or in a list."""
    return "\n".join(map(str, shown)) if isinstance(shown, list) else str(shown)


def _messages(context: str) -> Sequence[Any]:
    """Return the messages that were sent: those of a chat, or the prompt as one of the user's."""
    if context.startswith('[{"role"'):
        try:
            return as_messages(json.loads(context))
        except ValueError:
            pass
    return as_messages([{"role": "user", "content": context}])


def _scores(row: Mapping[str, Any]) -> JsonObject:
    """Return the metrics of a row: each has its name beside the fields that every row has."""
    names = row.get("metrics") or [name for name in row if name not in _FIXED]
    return {name: row.get(name) for name in sorted(names, key=lambda name: (name not in _LENGTHS, names.index(name)))}


def _own_score(scores: Mapping[str, Any]) -> JsonObject:
    found = first_score(scores)
    return {} if found is None else {"metric": found[0], "score": found[1]}


def _compared(
    row: Mapping[str, Any], requests: Sequence[_Request], likelihoods: Sequence[float], scores: Mapping[str, Any]
) -> JsonObject:
    """Read a row whose choices were compared; behind them may stand the same without the prompt, which is left out."""
    if "acc_mutual_info" in scores and len(requests) % 2 == 0:
        requests = requests[: len(requests) // 2]
    texts = [str(one.continuation) for one in requests]
    if len(set(texts)) == 1:  # the contexts hold the choices, as in WinoGrande
        texts = [one.context for one in requests]
    bare = [text.strip() for text in texts]
    metric = next((name for name in _LENGTHS if name in scores), "acc")
    values = [value / max(_LENGTHS[metric](text), 1) for value, text in zip(likelihoods, bare, strict=False)]
    chosen = max(range(len(values)), key=values.__getitem__)
    choices, shown = _choice_texts(row["doc"], bare), requests[0].context
    document = {**row["doc"], "choices": ["1", "2"]} if isinstance(row["doc"], dict) else {}  # those are known
    return {
        "texts": read_document(document, shown=shown, hidden=(*choices, *bare)).texts or {"text": shown},
        "choices": choices,
        **_right(row["target"], bare, was_right=as_number(scores.get(metric)), chosen=chosen),
        "chosen": chosen,
        "probs": _softmax(values),
        "messages": _messages(shown),
        **_own_score(scores),
    }


def _softmax(values: Sequence[float]) -> tuple[float, ...] | None:
    """Return the distribution of log-likelihoods; None where one is no number, or all are infinite."""
    most = max(values)
    if not math.isfinite(most) or any(map(math.isnan, values)):
        return None
    weights = [math.exp(value - most) for value in values]
    return tuple(weight / math.fsum(weights) for weight in weights)


def _choice_texts(document: object, compared: Sequence[str]) -> list[str]:
    """Return the texts of the choices: where letters were compared, those that the document has for them."""
    if not all(text.strip("(). ") == LETTERS[n : n + 1] for n, text in enumerate(compared)):
        return list(compared)
    choices = read_document(document).choices if isinstance(document, dict) else ()
    return list(choices) if len(choices) == len(compared) else list(compared)


def _right(target: object, choices: Sequence[str], *, was_right: float | None, chosen: int) -> JsonObject:
    """Return the target. It is written as an index or as a text; where both can be meant, the row's score tells which.

    Args:
        target: As the row writes it.
        choices: (n_choices,) what was compared.
        was_right: The row's own score.
        chosen: What has the highest likelihood.
    """
    if isinstance(target, list) or str(target).startswith("["):
        return {"fault": _SEVERAL}
    said = str(target).strip()
    meant = [int(said)] if said.isdecimal() and int(said) < len(choices) else []
    meant += [n for n, text in enumerate(choices) if text == said and n not in meant]
    if was_right in (0, 1):
        meant = [n for n in meant if (n == chosen) == bool(was_right)] or meant
    return {"target": meant[0]} if meant else {"fault": "a right answer that is none of its choices"}


def _generated(row: Mapping[str, Any], request: _Request) -> JsonObject:
    """Read what a row that generates text says of its item."""
    target, fields = row["target"], row["doc"] if isinstance(row["doc"], dict) else {}
    several = target if isinstance(target, list) else []
    answer = str(several[0] if len(several) == 1 else target).strip()
    found = read_document(fields, shown=request.context, answer=answer)
    return {
        "texts": found.texts or {"text": request.context},
        "choices": found.choices,
        "names": found.names,
        "answer": answer,
        "fault": _SEVERAL if len(several) > 1 else "",
        "messages": _messages(request.context),
    }
