"""Doubtful labels of a run: who has a voice, what agreement it takes, and how much of the errors they explain."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data.types import Item, Record
from eval.measures.labels import DoubtfulLabels, find_doubtful
from eval.measures.run_answers import read_answers
from eval.report.sections.labels import label_sentences, label_tables
from eval.report.summary import summarize
from tests.support.journaled_runs import answer, pair_item, write_run

Respond = Callable[[Item], Record | None]
N = 90
WRONG_KEYS = (4, 31, 77)  # the key of these is not what their text says
WORDS: dict[str, object] = {"kind": "baseline", "baseline": "tfidf"}
MEANING: dict[str, object] = {"kind": "baseline", "baseline": "nearest", "embeddings": "minilm"}
TUNED: dict[str, object] = {"kind": "finetune", "finetune": {"model": "minilm"}}
ASKED: dict[str, object] = {"kind": "chain", "chain": "classify", "model": {"spec": "openai:made-up"}}


def truth(item: Item) -> int:
    number = int(item.id.rsplit("/", 1)[1])
    return number % 3


def items() -> list[Item]:
    found = [pair_item(number) for number in range(N)]
    for number in WRONG_KEYS:
        found[number] = found[number].model_copy(update={"target": (number + 1) % 3})
    return found


def sure(system: str, *, wrong_on: tuple[int, ...] = (), sureness: float = 0.9) -> Respond:
    """A system that answers the truth with probabilities, but for some items."""

    def respond(item: Item) -> Record:
        number = int(item.id.rsplit("/", 1)[1])
        choice = (truth(item) + 1) % 3 if number in wrong_on else truth(item)
        probs = [(1 - sureness) / 2] * 3
        probs[choice] = sureness
        return answer(item, system, choice, probs=tuple(probs))

    return respond


def says(system: str, *, wrong_on: tuple[int, ...] = (), silent_on: tuple[int, ...] = ()) -> Respond:
    """The same without probabilities, silent on some items."""

    def respond(item: Item) -> Record:
        number = int(item.id.rsplit("/", 1)[1])
        if number in silent_on:
            return answer(item, system, None)
        return answer(item, system, (truth(item) + 1) % 3 if number in wrong_on else truth(item))

    return respond


def found(
    folder: Path,
    systems: dict[str, Respond],
    descriptions: dict[str, dict[str, object]],
    asked: list[Item] | None = None,
) -> DoubtfulLabels | None:
    run = read_answers(write_run(folder, [("mnli", asked or items(), systems)], descriptions=descriptions))
    return find_doubtful(run.evaluations[0], run.manifest.systems)


def numbers(labels: DoubtfulLabels) -> list[int]:
    return sorted(int(one.item.rsplit("/", 1)[1]) for one in labels.labels)


def test_two_kinds_of_systems_that_agree_against_the_key_make_it_doubtful(tmp_path: Path) -> None:
    # Both are mistaken now and then, but not on the same items.
    systems = {"words": sure("words", wrong_on=(0, 20, 40)), "asked": says("asked", wrong_on=(10, 50, 60))}
    labels = found(tmp_path / "run", systems, {"words": WORDS, "asked": ASKED})
    assert labels is not None and labels.voices == ("words", "asked") and labels.n == N
    assert numbers(labels) == sorted(WRONG_KEYS)
    one = labels.labels[0]
    assert one.answer != one.key and one.answer_prob > 0.5 > one.key_prob and one.systems == ("words", "asked")
    explained = {one.system: (one.n, one.wrong, one.doubtful) for one in labels.explained}
    assert explained == {"words": (N, 6, 3), "asked": (N, 6, 3)}


def test_systems_that_read_with_one_model_are_one_voice(tmp_path: Path) -> None:
    systems = {"meaning": sure("meaning"), "tuned": sure("tuned")}
    assert found(tmp_path / "one", systems, {"meaning": MEANING, "tuned": TUNED}) is None
    labels = found(
        tmp_path / "two",
        {**systems, "words": sure("words", wrong_on=(2, 3))},
        {"meaning": MEANING, "tuned": TUNED, "words": WORDS},
    )
    assert labels is not None and labels.voices == ("meaning", "words")  # of two that are as right the first


def test_a_system_that_guesses_has_no_voice(tmp_path: Path) -> None:
    systems: dict[str, Respond] = {
        "words": sure("words"), "asked": lambda item: answer(item, "asked", int(item.id.rsplit("/", 1)[1]) // 3 % 3),
    }  # fmt: skip
    assert found(tmp_path / "run", systems, {"words": WORDS, "asked": ASKED}) is None


def test_overconfidence_is_worth_what_it_is_right(tmp_path: Path) -> None:
    """A system that is always sure and often wrong does not outvote one that is timid and right."""
    bragging = tuple(range(0, N, 4))
    systems = {"asked": sure("asked", wrong_on=bragging, sureness=0.999), "words": sure("words", sureness=0.6)}
    labels = found(tmp_path / "run", systems, {"words": WORDS, "asked": ASKED})
    assert labels is not None
    assert numbers(labels) == [number for number in WRONG_KEYS if number not in bragging] == [31, 77]


def test_an_item_that_one_voice_is_silent_on_is_not_doubted(tmp_path: Path) -> None:
    systems = {"words": sure("words"), "asked": says("asked", silent_on=(31,))}
    labels = found(tmp_path / "run", systems, {"words": WORDS, "asked": ASKED})
    assert labels is not None and labels.n == N - 1 and numbers(labels) == [4, 77]


def test_one_group_alone_says_nothing(tmp_path: Path) -> None:
    asked = [item.model_copy(update={"group": "g"}) for item in items()]
    systems = {"words": sure("words"), "asked": says("asked")}
    assert found(tmp_path / "run", systems, {"words": WORDS, "asked": ASKED}, asked) is None


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_report_names_the_items_and_what_they_explain(tmp_path: Path, lang: str) -> None:
    from data.common.language import language

    systems = {"words": sure("words", wrong_on=(0, 20, 40)), "asked": says("asked", wrong_on=(10, 50))}
    descriptions = {"words": WORDS, "asked": ASKED}
    run = write_run(tmp_path / "run", [("mnli", items(), systems)], descriptions=descriptions)
    (evaluation,) = summarize(run, lang=lang).evaluations
    shown, explained = label_tables(evaluation, language(lang))
    assert sorted(row[0] for row in shown.rows) == sorted(f"mnli/made-up/{number}" for number in WRONG_KEYS)
    assert shown.rows[0][3] in ("words and asked", "words, asked")
    assert explained.rows == (("words", "6", "3", "6.7%", "3.3"), ("asked", "5", "3", "5.6%", "3.3"))
    many, points = label_sentences(evaluation, language(lang))
    assert many in evaluation.conclusion and points in evaluation.conclusion
    if lang == "en":
        assert many.startswith("3 labels of 90 items are doubtful: of words and asked")
        assert points == ("At most 3.3 points of the error rate of asked (5.6%) could be explained by doubtful labels.")
