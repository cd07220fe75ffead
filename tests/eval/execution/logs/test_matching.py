"""Which item a row answers: by what it shows, by its prompt, by its id; and what cannot be matched is left apart."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval.cli.parser import main
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import Manifest, read_manifest

COLOURS = ("red", "green", "blue", "grey")
WORDS = ("apples", "grass", "the sky", "stones", "coal", "snow")
TEXTS = [f"Which colour do {word} usually have in the book of {place} pages?" for place, word in enumerate(WORDS)]


def sample(number: int, *, said: str = "ANSWER: A", **changes: Any) -> dict[str, Any]:
    """Return a sample of an inspect-ai log: question `number`, whose right choice is `number % 4`."""
    reply = {"message": {"role": "assistant", "content": said}, "stop_reason": "stop"}
    return {
        "id": number,
        "epoch": 1,
        "input": TEXTS[number],
        "choices": list(COLOURS),
        "target": "ABCD"[number % 4],
        "output": {"choices": [reply]},
        "scores": {"choice": {"value": "C"}},
        **changes,
    }


def write_log(path: Path, samples: list[dict[str, Any]], *, model: str = "toy/one", task: str = "colours") -> Path:
    content = {"version": 2, "status": "success", "eval": {"task": task, "model": model}, "samples": samples}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def manifest_of(run: Path, *arguments: object) -> Manifest:
    assert main(["import", *map(str, arguments), "--out", str(run), "--json"]) == 0
    return read_manifest(run)


def choices_of(run: Path, system: str) -> dict[str, int | None]:
    records = read_records(records_path(run, system))
    return {record.item.id: record.prediction.choice if record.prediction else None for record in records}


def test_items_are_matched_by_what_they_show_whatever_their_order_and_ids(tmp_path: Path, capsys) -> None:
    one = write_log(tmp_path / "a.json", [sample(n) for n in range(6)])
    shouted = [sample(n, id=f"x{n}", input=f" {TEXTS[n].upper()}\n", said="ANSWER: B") for n in (5, 3, 1)]
    two = write_log(tmp_path / "b.json", shouted, model="toy/two", task="other")
    (evaluation,) = manifest_of(tmp_path / "run", one, two).evaluations
    assert (evaluation.n_items, evaluation.systems) == (6, ("one", "two"))
    assert choices_of(tmp_path / "run", "two") == {"colours/1": 1, "colours/3": 1, "colours/5": 1}
    assert main(["compare", str(tmp_path / "run")]) == 0


def test_choices_that_were_shown_in_another_order_are_read_in_that_order(tmp_path: Path, capsys) -> None:
    one = write_log(tmp_path / "a.json", [sample(n) for n in range(6)])
    turned = [sample(n, choices=list(reversed(COLOURS)), target="DCBA"[n % 4], said="ANSWER: A") for n in range(6)]
    two = write_log(tmp_path / "b.json", turned, model="toy/two")
    manifest_of(tmp_path / "run", one, two)
    assert set(choices_of(tmp_path / "run", "two").values()) == {3}
    assert main(["rescore", str(tmp_path / "run")]) == 0
    assert "0 predictions changed" in capsys.readouterr().out


def test_a_model_s_files_over_different_items_are_one_system_with_tags(tmp_path: Path, capsys) -> None:
    files = [
        write_log(tmp_path / f"{model}{task}.json", [sample(n) for n in numbers], model=f"toy/{model}", task=task)
        for model in ("one", "two")
        for task, numbers in (("first", (0, 1, 2)), ("second", (3, 4, 5)))
    ]
    (evaluation,) = manifest_of(tmp_path / "run", *files).evaluations
    assert (evaluation.n_items, evaluation.systems) == (6, ("one", "two"))
    records = list(read_records(records_path(tmp_path / "run", "one")))
    assert [record.item.tags for record in records] == [("first",)] * 3 + [("second",)] * 3


def test_logs_of_other_items_are_an_evaluation_of_their_own(tmp_path: Path, capsys) -> None:
    one = write_log(tmp_path / "a.json", [sample(n) for n in (0, 1, 2)])
    two = write_log(tmp_path / "b.json", [sample(n) for n in (3, 4, 5)], model="toy/two", task="others")
    evaluations = manifest_of(tmp_path / "run", one, two).evaluations
    assert [(one.benchmark, one.systems) for one in evaluations] == [("colours", ("one",)), ("others", ("two",))]


def test_the_same_text_twice_is_two_items_and_another_right_answer_is_another_item(tmp_path: Path, capsys) -> None:
    twice = [sample(0), sample(0, id="again"), sample(1)]
    one, two = (write_log(tmp_path / f"{n}.json", twice, model=f"toy/{n}") for n in "ab")
    other = write_log(tmp_path / "c.json", [sample(0, target="C"), sample(1)], model="toy/c")
    (evaluation,) = manifest_of(tmp_path / "run", one, two, other).evaluations
    assert (evaluation.n_items, evaluation.systems) == (4, ("a", "b", "c"))
    assert len(choices_of(tmp_path / "run", "b")) == 3


def test_epochs_are_trials_of_an_item(tmp_path: Path, capsys) -> None:
    asked = [sample(n, epoch=epoch, said=f"ANSWER: {'ABB'[epoch - 1]}") for epoch in (1, 2, 3) for n in range(3)]
    manifest_of(tmp_path / "run", write_log(tmp_path / "a.json", asked))
    records = list(read_records(records_path(tmp_path / "run", "one")))
    assert [(r.prediction.choice, len(r.prediction.asks)) for r in records if r.prediction] == [(1, 3)] * 3


def test_prompts_that_show_an_item_are_matched_to_the_last_that_they_show(tmp_path: Path, capsys) -> None:
    items = write_log(tmp_path / "a.json", [sample(n) for n in range(6)])
    asked, replies = [], []
    for n in range(6):
        shown = f"Example: {TEXTS[(n + 1) % 6]} red\n\nNow: «{TEXTS[n]}»"
        asked.append({"custom_id": f"r-{n}", "body": {"messages": [{"role": "user", "content": shown}]}})
        message = {"role": "assistant", "content": "It is (B)."}
        body = {"model": "served", "choices": [{"message": message, "finish_reason": "stop"}]}
        replies.append({"custom_id": f"r-{n}", "response": {"status_code": 200, "body": body}})
    for name, rows in (("asked.jsonl", asked), ("replies.jsonl", replies)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    manifest_of(tmp_path / "run", tmp_path / "replies.jsonl", items, tmp_path / "asked.jsonl")
    assert "6 rows are matched to items of the others by what their prompts show" in capsys.readouterr().err
    records = list(read_records(records_path(tmp_path / "run", "served")))
    assert [record.item.id for record in records] == [f"colours/{n}" for n in range(6)]
    assert all(r.messages and TEXTS[n] in r.messages[0].content.split("Now:")[1] for n, r in enumerate(records))


def test_ids_match_unless_one_has_another_right_answer(tmp_path: Path, capsys) -> None:
    one = write_log(tmp_path / "a.json", [sample(n) for n in range(6)])
    two = write_log(tmp_path / "b.json", [sample(n, input=f"Rewritten: {n}") for n in range(6)], model="toy/two")
    assert len(manifest_of(tmp_path / "run", one, two).evaluations) == 1
    assert "6 rows are matched to items of the others by their ids" in capsys.readouterr().err
    shifted = [sample(n, id=n + 1, input=f"Rewritten: {n}") for n in range(5)]
    two = write_log(tmp_path / "b.json", shifted, model="toy/two")
    assert len(manifest_of(tmp_path / "run2", one, two).evaluations) == 2


def test_two_systems_of_one_model_are_told_apart_by_their_files(tmp_path: Path, capsys) -> None:
    one, two = (write_log(tmp_path / f"{name}.json", [sample(n) for n in range(6)]) for name in ("short", "long"))
    assert manifest_of(tmp_path / "run", one, two).evaluations[0].systems == ("one.short", "one.long")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"choices": None, "target": ["x", "y"]}, "several right answers"),
        ({"target": "AB"}, "several right answers"),
        ({"choices": ["a", "A"]}, "choices of which two are the same"),
        ({"choices": None, "target": "free"}, "one right answer, 'free'"),
        ({"target": "no such choice"}, "a right answer that is none of its choices"),
    ],
)
def test_items_that_cannot_be_scored_are_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], said: str, capsys
) -> None:
    log = write_log(tmp_path / "a.json", [sample(n, **changes) for n in range(3)])
    assert main(["import", str(log), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_log_probabilities_of_a_reply_s_tokens_are_those_of_the_choices(tmp_path: Path, capsys) -> None:
    listed = [{"token": " B", "logprob": -0.5}, {"token": " A", "logprob": -1.0}, {"token": "C", "logprob": -9999.0}]
    tokens = [
        {"token": "ANSWER", "logprob": 0.0},
        {"token": ":", "logprob": 0.0},
        {**listed[0], "top_logprobs": listed},
    ]
    reply = {
        "message": {"role": "assistant", "content": "ANSWER: B"},
        "stop_reason": "stop",
        "logprobs": {"content": tokens},
    }
    log = write_log(tmp_path / "a.json", [sample(n, output={"choices": [reply]}) for n in range(3)])
    manifest_of(tmp_path / "run", log)
    (first, *_) = records_of = list(read_records(records_path(tmp_path / "run", "one")))
    assert len(records_of) == 3 and first.prediction is not None and first.prediction.probs is not None
    assert first.prediction.probs_source == "logprobs"
    a, b, c, d = first.prediction.probs
    assert b > a > c == d > 0 and b / a == pytest.approx(2.718281828**0.5)
