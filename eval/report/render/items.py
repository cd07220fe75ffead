"""The item browser's data: every item of an evaluation with all that its systems said, in compressed blocks.

The answers and the journals in, blocks of text out that stand in the page and that `items.js` unpacks. One index of
columns lets the page filter and count at once; what an opened item shows is in chunks, each unpacked when it is looked
at. The journals are read once, a chunk at a time.
"""

import base64
import gzip
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.common.text import plain
from data.types import Item, Record
from eval.measures.answers import Answers
from eval.measures.run_answers import records_of_items
from eval.report.evaluation import EvaluationFigures
from eval.rundir.journal import records_path

CHUNK = 200  # items
HEAD_LETTERS = 80
LETTERS_SHOWN = 20_000  # of one text
FULL = 36_000_000  # letters of all chunks of a page, which is to stay below 40 MB
FAILED, NO_RECORD = -2, -3  # in place of a choice; -1 is a reply without an answer
_MESSAGES = ("messages", "passages")


class ItemBlocks(NamedTuple):
    """What the page holds of one evaluation's items: gzip in base64.

    Attributes:
        columns: The index: columns over all items.
        names: The labels, where all items share them; None where each has choices of its own.
        chunks: `CHUNK` items each, in the order of the index.
        tags: Every tag that an item carries.
        n_choices: Most choices of an item.
        short: How many items, the last ones, stand in the index alone: the page is full.
    """

    columns: str
    names: tuple[str, ...] | None
    chunks: list[str]
    tags: list[str]
    n_choices: int
    short: int


def item_blocks(
    run_dir: Path,
    evaluation: EvaluationFigures,
    answers: Mapping[str, Answers],
    *,
    usd: Mapping[str, np.ndarray | None],
    texts: bool = True,
    room: int = FULL,
) -> ItemBlocks:
    """Pack the items of an evaluation.

    Args:
        run_dir: The run, for its journals.
        evaluation: The figures, which name causes and doubtful labels.
        answers: By the system's name.
        usd: By the system's name, (n,) what each of its predictions cost; None where unknown.
        texts: Whether what was shown, sent, found and said is kept, or only what came of it.
        room: Letters that the chunks may take; the chunk that goes beyond it is the last.
    """
    heads, chunks, taken, n = list[str](), list[str](), 0, _n_items(answers)
    gathered = _items_with_records(run_dir, answers)
    costs = {name: _by_place(one, usd[name]) for name, one in answers.items()}
    while taken <= room and len(heads) < n:
        rows = []
        for place in range(len(heads), min(len(heads) + CHUNK, n)):
            item, records = next(gathered)
            heads.append(beginning(item) if texts else "")
            spent = {name: of_items[place] for name, of_items in costs.items() if place in of_items}
            rows.append(_row(item, records, usd=spent, texts=texts))
        chunks.append(packed(rows))
        taken += len(chunks[-1])
    short = n - len(heads)
    items = next(iter(answers.values())).items
    names = _names(evaluation, answers)
    tags = sorted({tag for tags in items.tag_lists for tag in tags})
    index = packed(_index(evaluation, answers, heads=heads, names=names))
    return ItemBlocks(index, names, chunks, tags, int(items.n_choices.max(initial=0)), short)


def packed(content: object) -> str:
    """Return data as JSON, compressed, in base64: letters that end no element. The same data give the same."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return base64.b64encode(gzip.compress(text, mtime=0)).decode("ascii")


def _by_place(answers: Answers, usd: np.ndarray | None) -> dict[int, float]:
    """Return by the item's place what a system's answer cost; an unknown cost is left out."""
    if usd is None:
        return {}
    return dict(zip(answers.predictions.rows["item"].tolist(), usd.tolist(), strict=True))


def _n_items(answers: Mapping[str, Answers]) -> int:
    return len(next(iter(answers.values())).items.ids)


def _items_with_records(run_dir: Path, answers: Mapping[str, Answers]) -> Iterator[tuple[Item, dict[str, Record]]]:
    """Yield each item in its order with every system's record of it, read back from the journals."""
    every = range(_n_items(answers))
    streams = {name: records_of_items(records_path(run_dir, name), one, every) for name, one in answers.items()}
    ahead = {name: next(stream, None) for name, stream in streams.items()}
    for place in every:
        records = {}
        for name, found in ahead.items():
            if found is not None and found[0] == place:
                records[name], ahead[name] = found[1], next(streams[name], None)
        yield next(iter(records.values())).item, records


# --- the index: columns over all items


def _names(evaluation: EvaluationFigures, answers: Mapping[str, Answers]) -> tuple[str, ...] | None:
    """Return the labels that all items share; None where each has choices of its own."""
    return next((one.shared_choices for one in answers.values() if evaluation.labelled and one.shared_choices), None)


def _index(
    evaluation: EvaluationFigures, answers: Mapping[str, Answers], *, heads: list[str], names: tuple[str, ...] | None
) -> dict[str, Any]:
    items = next(iter(answers.values())).items
    causes = {one.system: {cause.cause: cause.item_ids for cause in one.causes} for one in evaluation.attributions}
    doubtful = () if evaluation.labels is None else evaluation.labels.labels
    return {
        "names": names,
        "chunk": CHUNK,
        "ids": [plain(one) for one in items.ids],
        "heads": heads,
        "targets": items.targets.tolist(),
        "tagLists": [list(tags) for tags in items.tag_lists],
        "tags": items.tags.tolist(),
        "doubtful": [items.places[one.item] for one in doubtful],
        "systems": [
            {"name": name, **_columns(one), "causes": _places(causes.get(name, {}), items.places)}
            for name, one in answers.items()
        ],
    }


def _columns(answers: Answers) -> dict[str, list[Any]]:
    """Return for every item what was chosen, the highest probability in thousandths, and milliseconds."""
    n, rows = len(answers.items.ids), answers.rows
    choices = np.full(n, NO_RECORD, dtype=np.int64)
    choices[rows["item"]] = np.where(rows["status"] < 0, FAILED, rows["choice"])
    sure, seconds = np.zeros(n), np.full(n, np.nan)
    sure[rows["item"]] = answers.probs.max(axis=1, initial=0)
    seconds[rows["item"]] = rows["latency_s"]
    return {
        "choices": choices.tolist(),
        "sure": [round(1000 * one) or None for one in sure.tolist()],
        "ms": [None if one != one else round(1000 * one) for one in seconds.tolist()],
    }


def _places(causes: Mapping[str, tuple[str, ...]], places: Mapping[str, int]) -> dict[str, list[int]]:
    return {cause: [places[one] for one in ids] for cause, ids in causes.items() if ids}


def beginning(item: Item) -> str:
    """Return the first letters of what is asked: of the question where there is one, else a share of each text."""
    texts = [item.inputs["question"]] if item.inputs.get("question") else [one for one in item.inputs.values() if one]
    each = HEAD_LETTERS // max(len(texts), 1)
    return " / ".join(plain(text[: 2 * each], one_line=True)[:each] for text in texts)


# --- the chunks: all of an item


def _row(item: Item, records: Mapping[str, Record], *, usd: Mapping[str, float], texts: bool) -> dict[str, Any]:
    about = {"group": item.group, "weight": item.weight}
    if texts:
        about |= {"inputs": item.inputs, "choices": item.choices}
    said = {}
    for name, record in records.items():
        said[name] = _record(record, texts=texts)
        if name in usd:
            said[name]["usd"] = usd[name]
    row: dict[str, Any] = _cut({**about, "records": said}, LETTERS_SHOWN)
    return row


def _record(record: Record, *, texts: bool) -> dict[str, Any]:
    kept = record.model_dump(mode="json", exclude={"item", "system"}, exclude_defaults=True)
    return kept if texts else _without_texts(kept)


def _without_texts(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was sent, found, said and thought; of an error its type stays."""
    kept = {name: value for name, value in record.items() if name not in _MESSAGES}
    if "prediction" in kept:
        prediction = {name: one for name, one in kept["prediction"].items() if name not in ("raw", "reasoning")}
        if "asks" in prediction:
            shown = ("order", "choice", "status", "rule")
            prediction["asks"] = [{name: one.get(name) for name in shown} for one in prediction["asks"]]
        kept["prediction"] = prediction
    if "error" in kept:
        kept["error"] = kept["error"].partition(":")[0]
    return kept


def _cut(value: Any, most: int) -> Any:
    """Return data with every text of at most so many letters, and None for a number that JSON does not know."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}… (+{len(value) - most:,})"
    if isinstance(value, dict):
        return {name: _cut(one, most) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(one, most) for one in value]
    return value
