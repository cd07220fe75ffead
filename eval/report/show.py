"""Everything about one item: what was asked, what is right, what each system was sent and said; and which to see."""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from data.common.errors import ConfigurationError, ProjectError, unknown_name
from data.common.table import aligned
from data.common.text import plain
from data.types import Item, Record, Trial
from eval.measures.attribution import causes_of_item
from eval.measures.causes import Cause
from eval.measures.run_answers import read_answers, records_of_items
from eval.report.render.items import beginning
from eval.rundir.journal import records_path

RULE = "-" * 100


def show_item(run_dir: Path, item_id: str) -> str:
    """Return all that a run holds on one item, for people.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: The run has no such item; near ids are named.
    """
    found, causes = _records_and_causes(run_dir, item_id)
    item = next(iter(found.values())).item
    answers = [_answer(record, causes.get(system)) for system, record in found.items()]
    return plain("\n".join([_item(item), *answers]))


def show_item_json(run_dir: Path, item_id: str) -> dict[str, Any]:
    """Return the same as `show_item` for programs: the item, each system's record without it, each one's cause."""
    found, causes = _records_and_causes(run_dir, item_id)
    item = next(iter(found.values())).item
    records = {system: record.model_dump(mode="json", exclude={"item"}) for system, record in found.items()}
    return {
        "item": item.model_dump(mode="json"),
        "records": records,
        "causes": {system: cause.name for system, cause in causes.items()},
    }


class Disagreement(NamedTuple):
    """An item to which two systems give other answers.

    Attributes:
        item: Its id.
        text: The beginning of its texts.
        key: The right choice.
        answers: What each of the two chose; None where its reply names nothing.
    """

    item: str
    text: str
    key: str
    answers: tuple[str | None, str | None]


class Disagreements(NamedTuple):
    """All items to which two systems give other answers; one that either failed on is none.

    Attributes:
        systems: The names of the two.
        n_shared: Items that both have answered.
        found: The items, in the order of the run.
    """

    systems: tuple[str, str]
    n_shared: int
    found: Sequence[Disagreement]

    def as_text(self, limit: int) -> str:
        """Return a table of the first ones, and how many there are."""
        header = ("item", "text", "right", *self.systems)
        rows = [
            (one.item, one.text, one.key, *(_marked(answer, one.key) for answer in one.answers))
            for one in self.found[:limit]
        ]
        said = f"{len(self.found):,} of {self.n_shared:,} items have other answers"
        more = f"; the first {limit:,} are shown, --limit shows more" if len(self.found) > limit else ""
        table = aligned([header, *rows], left=range(len(header))) + "\n\n" if rows else ""
        return plain(f"{table}{said}{more}")

    def as_json(self, limit: int) -> dict[str, Any]:
        """Return the same for programs."""
        shown = [one._asdict() for one in self.found[:limit]]
        return {"systems": self.systems, "shared": self.n_shared, "differing": len(self.found), "items": shown}


def disagreements(run_dir: Path, one: str, other: str) -> Disagreements:
    """Find the items to which two systems of a run give other answers.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: It lacks one of the systems, they answer other items, or a file is damaged.
    """
    run = read_answers(run_dir)
    for name in (one, other):
        if name not in run.manifest.systems:
            raise unknown_name("system", name, run.manifest.systems)
    answers = next((systems for systems in run.evaluations if one in systems and other in systems), None)
    if answers is None:
        raise ConfigurationError(f"'{one}' and '{other}' answer other items; name two systems of one benchmark")
    chosen = [
        dict(zip(given.rows["item"].tolist(), given.choices.tolist(), strict=True))
        for given in (answers[one].predictions, answers[other].predictions)
    ]
    shared = sorted(chosen[0].keys() & chosen[1].keys())
    places = [place for place in shared if chosen[0][place] != chosen[1][place]]
    records = records_of_items(records_path(run_dir, one), answers[one], places)
    found = [_disagreement(record.item, chosen[0][place], chosen[1][place]) for place, record in records]
    return Disagreements((one, other), len(shared), found)


def _disagreement(item: Item, one: int, other: int) -> Disagreement:
    answers = tuple(None if choice < 0 else item.choices[choice] for choice in (one, other))
    return Disagreement(item.id, beginning(item), item.choices[item.target], (answers[0], answers[1]))


def _marked(answer: str | None, key: str) -> str:
    return "✗ no answer" if answer is None else f"{'✓' if answer == key else '✗'} {answer}"


def _records_and_causes(run_dir: Path, item_id: str) -> tuple[dict[str, Record], dict[str, Cause]]:
    """Return each system's record of one item, at least one, and why it came out as it did."""
    run, records, causes = read_answers(run_dir), dict[str, Record](), dict[str, Cause]()
    ids = {item_id for answers in run.evaluations for one in answers.values() for item_id in one.items.ids}
    item_id = _whole_id(item_id, ids)
    for answers in run.evaluations:
        for system, one in answers.items():
            if item_id in one.items.places:
                places = [one.items.places[item_id]]
                for _, record in records_of_items(records_path(run_dir, system), one, places):
                    records[system] = record
        causes |= causes_of_item(item_id, answers, run.manifest.systems)
    if not records:
        raise _unknown_item(item_id, ids, run_dir=run_dir)
    return records, causes


def _whole_id(item_id: str, ids: set[str]) -> str:
    """Return the one id that is or ends as what was named: "2" for "tickets/test/2"; else what was named."""
    ending = [one for one in ids if one.endswith(f"/{item_id}")]
    return ending[0] if item_id not in ids and len(ending) == 1 else item_id


def _unknown_item(item_id: str, ids: set[str], *, run_dir: Path) -> ProjectError:
    names = sorted(ids)
    near = get_close_matches(item_id, names, n=5, cutoff=0.3) or names[:5]
    return unknown_name("item", item_id, near, f"{run_dir} holds {len(ids):,} items; the nearest are named.")


def _item(item: Item) -> str:
    about = [f"group {item.group}", f"weight {item.weight:g}", *item.tags]
    lines = [item.id, " · ".join(about)]
    lines += [f"\n{name}\n{text}" for name, text in item.inputs.items() if text]
    lines.append("\nchoices (* is right)")
    for place, choice in enumerate(item.choices):
        lines.append(f"{'*' if place == item.target else ' '} {place + 1}. {choice}")
    return "\n".join(lines)


def _answer(record: Record, cause: Cause | None) -> str:
    seconds = "unknown" if record.latency_s is None else f"{record.latency_s:.3g}"
    repeats = f", attempts: {record.attempts}" if record.attempts > 1 else ""
    hits = f", from the response cache: {record.cache_hits}" if record.cache_hits else ""
    lines = [RULE, f"{record.system}: {_verdict(record)}", f"seconds: {seconds}{repeats}{hits}"]
    if cause is not None:
        lines.append(f"cause: {cause.name} ({cause.meaning})")
    prediction = record.prediction
    if prediction is not None:
        ended = f", finish reason: {prediction.finish_reason}" if prediction.finish_reason else ""
        lines.append(f"status: {prediction.status}, rule: {prediction.rule or 'none'}{ended}")
        if prediction.probs is not None:
            probs = (f"{place + 1}: {prob:.3f}" for place, prob in enumerate(prediction.probs))
            lines.append(f"probabilities: {', '.join(probs)}")
        if prediction.usage:
            lines.append(f"usage: {', '.join(f'{name} {count:,}' for name, count in prediction.usage.items())}")
        if prediction.document_ids:
            lines.append(f"retrieved: {', '.join(prediction.document_ids)}")
    for passage in record.passages:
        score = "" if passage.score is None else f", score {passage.score:.4g}"
        lines.append(f"\n[passage {passage.chunk_id or passage.id}{score}]\n{passage.text}")
    for message in record.messages or ():
        lines.append(f"\n[{message.role}]\n{message.content}")
        lines += [f"→ {call.name} {json.dumps(call.arguments, ensure_ascii=False)}" for call in message.tool_calls]
    lines += _trials(prediction.asks if prediction else ())
    if prediction is not None and prediction.reasoning:
        lines.append(f"\n[reasoning, not read as an answer]\n{prediction.reasoning}")
    if prediction is not None and prediction.raw:
        lines.append(f"\n[reply]\n{prediction.raw}")
    return "\n".join(lines)


def _trials(trials: Sequence[Trial]) -> list[str]:
    """Say of each trial the order that it showed, what it chose and what was written."""
    lines = []
    for number, trial in enumerate(trials, start=1):
        order = " ".join(str(own + 1) for own in trial.order)
        chosen = "no answer" if trial.choice is None else f"chose {trial.choice + 1}"
        lines.append(
            f"\n[trial {number} of {len(trials)}: choices shown as {order}; {chosen}; {trial.rule or trial.status}]"
        )
        lines += [f"[reasoning, not read as an answer]\n{trial.reasoning}\n"] if trial.reasoning else []
        lines += [trial.raw] if trial.raw else []
    return lines


def _verdict(record: Record) -> str:
    if record.prediction is None:
        return f"failed: {record.error}"
    if record.prediction.choice is None:
        return "no answer, which counts as wrong"
    right = "right" if record.prediction.choice == record.item.target else "wrong"
    return f"{right}, chose {record.prediction.choice + 1}. {record.item.choices[record.prediction.choice]}"
