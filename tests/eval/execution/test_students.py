"""Students in a run: trained on what another system of it answers to texts that nobody has labelled."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.types import Inputs, Item, Prediction
from eval.api import Run, evaluate
from eval.cli.dry_run import estimate
from eval.measures.costs import SystemCost
from eval.measures.prices import price_table
from eval.measures.run_answers import read_answers
from eval.measures.system_costs import price_systems
from eval.measures.teacher_answers import read_pool
from eval.plan.settings.specs import Suite
from eval.rundir.description import ChatModelDescription
from tests.support.tickets import MODEL, WORDS, tickets
from tests.support.tiny_encoder import CUES, LABELS, make_encoder, toy_items

ITEMS, TRAIN, POOL = toy_items(90, seed=2, split="test"), toy_items(60, seed=5), toy_items(240, seed=1, split="pool")
MANY = toy_items(720, seed=7)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pool(tmp_path_factory.mktemp("pool") / "pool.csv", POOL)


def write_pool(path: Path, items: Sequence[Item]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, ["number", "hypothesis", "premise"])
        rows.writeheader()
        rows.writerows({**item.inputs, "number": number} for number, item in enumerate(items))
    return path


def settings(encoder: Path) -> dict[str, object]:
    plain = {"model": str(encoder), "max_length": 48, "batch_size": 16, "epochs": 6, "learning_rate": 3e-3}
    return plain | {"bf16": "off"}


def teacher(asked: Counter[str], *, wrong: float = 0.0, lost: Set[str] = frozenset()) -> Callable[[Inputs], Prediction]:
    """A predictor that reads the cue, mistakes it in a share of the texts, is lost on some, and counts who is asked."""

    def answer(entry: Inputs) -> Prediction:
        asked[entry["id"]] += 1
        if entry["premise"] in lost:
            raise ValueError("the teacher is lost")
        (cue,) = [label for label, word in CUES.items() if word in entry["hypothesis"].split()]
        drawn = hashlib.sha256(f"{entry['premise']}/{entry['hypothesis']}".encode()).digest()[0] / 256
        choice = (LABELS.index(cue) + (drawn < wrong)) % 3
        return Prediction(choice=choice, status="ok", usage={"input_tokens": 10, "output_tokens": 1})

    return answer


def run_with(folder: Path, systems: Mapping[str, Any], **more: Any) -> Run:
    return evaluate(ITEMS, systems, train=TRAIN, out=folder, **more)


def student(encoder: Path, pool: Path | None, labels_from: str = "teacher") -> dict[str, object]:
    unlabelled = {} if pool is None else {"unlabelled": pool}
    return {"finetune": settings(encoder), "labels_from": labels_from, **unlabelled}


def accuracies(run: Run) -> dict[str, float]:
    return {one.name: one.scores.accuracy for one in run.summary.evaluations[0].systems if one.scores}


def test_a_student_waits_for_its_teacher_and_beats_the_noise_in_its_labels(
    encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: Counter[str] = Counter()
    lost = {item.inputs["premise"] for item in MANY[:7]}
    pool = write_pool(tmp_path / "pool.csv", MANY)
    systems = {"student": student(encoder, pool), "teacher": teacher(asked, wrong=0.3, lost=lost)}
    run = run_with(tmp_path / "run", systems)
    assert len(asked) == 90 + 720
    assert max(asked.values()) == 1
    n_lost = len({item.id for item in MANY if item.inputs["premise"] in lost})
    said = f"student: {720 - n_lost} items are labelled by teacher, {n_lost} that it gave no answer to are left out"
    assert said in capsys.readouterr().err
    card = json.loads((run.path / "student" / "checkpoint" / "training_card.json").read_text())
    assert card["labels_from"]["unanswered"] == n_lost
    found = accuracies(run)
    assert found["teacher"] < 0.8
    assert found["student"] > found["teacher"] + 0.1
    assert [one.name for one in run.summary.evaluations[0].systems] == ["student", "teacher"]  # as the suite has it


def test_a_student_of_a_teacher_without_mistakes_is_one_of_human_labels(encoder: Path, tmp_path: Path) -> None:
    """With labels that are the items' own, the same texts make the same weights, whoever labelled them."""
    systems = {
        "people": {"finetune": settings(encoder)},
        "teacher": teacher(Counter()),
        "student": student(encoder, None),
    }
    run = run_with(tmp_path / "run", systems)
    weights = [(run.path / name / "checkpoint" / "model.safetensors").read_bytes() for name in ("people", "student")]
    assert weights[0] == weights[1]


def test_nothing_that_is_measured_or_known_to_the_teacher_is_labelled(
    encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = write_pool(tmp_path / "pool.csv", [*POOL[:60], *ITEMS[:5], *TRAIN[:7], *POOL[:60]])
    systems = {"teacher": {"baseline": "tfidf"}, "student": student(encoder, texts)}
    run = run_with(tmp_path / "run", systems)
    said = capsys.readouterr().err
    assert f"student: 5 of 72 texts of {texts} are measured: left out" in said
    assert f"student: 7 of 72 texts of {texts} are learnt by teacher: left out" in said
    labelled = [record.item.inputs for record in read_pool(run.path / "teacher")]
    assert labelled == [item.inputs for item in POOL[:60]]


def test_a_killed_run_asks_only_what_is_missing(encoder: Path, pool: Path, tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    reads, died = teacher(asked), []

    def answer(entry: Inputs) -> Prediction:
        if len(asked) == 90 + 100 and not died:
            died.append(entry["id"])
            raise KeyboardInterrupt
        return reads(entry)

    systems = {"teacher": answer, "student": student(encoder, pool)}
    with pytest.raises(KeyboardInterrupt):
        run_with(tmp_path / "run", systems, max_concurrency=1)
    assert len(asked) == 90 + 100
    for _ in range(2):  # the second has nothing left to ask
        run_with(tmp_path / "run", systems, resume=True)
        assert len(asked) == 90 + 240
        assert max(asked.values()) == 1


def test_its_labels_cost_what_its_teacher_does(
    encoder: Path, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices.yaml"
    models = "models: {openai:known: {input: 1, output: 2}}\n"
    prices.write_text(f"as_of: '2026-01-01'\nsource: here\nlabels_usd: 0.5\n{models}")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
    run = run_with(tmp_path / "run", {"teacher": teacher(Counter()), "student": student(encoder, pool)})
    answers = read_answers(run.path)
    (given,) = answers.evaluations

    def cost(**described: object) -> SystemCost:
        descriptions = dict(answers.manifest.systems)
        descriptions["teacher"] = descriptions["teacher"].model_copy(update=described)
        hardware = answers.manifest.hardware
        priced = price_systems(given, descriptions, run.path, hardware=hardware, table=price_table())
        return priced["student"].cost

    unknown = cost().training
    assert unknown is not None and unknown.labels_usd is None
    assert "what the labels of its teacher cost is unknown" in unknown.notes
    api = cost(kind="chain", model=ChatModelDescription(spec="openai:known")).training
    assert api is not None and api.labels_usd == pytest.approx(240 * (10 * 1 + 1 * 2) / 1e6)


def test_a_student_labels_new_texts(tmp_path: Path, encoder: Path) -> None:
    texts = tmp_path / "more.csv"
    texts.write_text("Message\n" + "".join(f"{WORDS[label]} {n}\n" for n in range(30) for label in WORDS))
    entry = {"benchmark": str(tickets(tmp_path / "tickets.csv")), "systems": [
        {"name": "teacher", "chain": "classify", "model": MODEL},
        {"name": "student", **student(encoder, texts)},
    ]}  # fmt: skip
    suite = Suite.model_validate({"name": "tickets", "evaluations": [entry]})
    assert next(one for one in estimate(suite) if one.system == "teacher").items == 18 + 90
    run = evaluate(suite, out=tmp_path / "run")
    assert set(run.label(["rain and sun today", "money back please"], system="student")) <= set(WORDS)


@pytest.mark.parametrize(
    ("entry", "error", "words"),
    [
        (
            {"labels_from": "gpt"},
            ConfigurationError,
            "no other system 'gpt' of items to learn from; there are teacher, tf",
        ),
        ({"labels_from": "student"}, ConfigurationError, "no other system 'student'"),
        ({"labels_from": "both"}, ConfigurationError, "its teacher 'both' is a cascade"),
        ({"labels_from": "other"}, ConfigurationError, "its teacher 'other' is a student itself"),
        ({"labels_from": "tf"}, ConfigurationError, "'tf' learns from the very items that it would label"),
        ({"labels_from": "teacher", "unlabelled": "none.csv"}, MissingResourceError, "there is no file none.csv"),
        ({"unlabelled": "none.csv"}, ConfigurationError, "need a system to label them"),
        ({"labels_from": "teacher", "finetune": None, "baseline": "chance"}, ConfigurationError, "goes with finetune"),
    ],
)
def test_a_student_that_cannot_be_made_is_one_line_and_nothing_is_asked(
    encoder: Path, pool: Path, tmp_path: Path, entry: dict[str, object], error: type[Exception], words: str
) -> None:
    asked: Counter[str] = Counter()
    systems = {
        "teacher": teacher(asked),
        "tf": {"baseline": "tfidf"},
        "both": {"cascade": ["tf", "teacher"], "defer": {"share": 0.2}},
        "other": student(encoder, pool),
        "student": {"finetune": settings(encoder), **entry},
    }
    with pytest.raises(error, match=words) as raised:
        run_with(tmp_path / "run", systems)
    assert "\n" not in str(raised.value)
    assert not asked and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("hypothesis,number\nyes,1\n", "has no column 'premise', which holds the texts; it has: hypothesis, number"),
        ("premise,hypothesis\n", "has no rows"),
        ("premise,hypothesis\nthe man,\n", "line 2: hypothesis is"),
    ],
)
def test_a_file_of_texts_that_cannot_be_used_is_one_line(
    encoder: Path, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "pool.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=words):
        run_with(tmp_path / "run", {"teacher": teacher(Counter()), "student": student(encoder, path)})


def test_it_does_not_go_with_systems_in_step(encoder: Path, pool: Path, tmp_path: Path) -> None:
    systems = {"teacher": teacher(Counter()), "student": student(encoder, pool)}
    with pytest.raises(ConfigurationError, match="'student' is trained when its teacher has answered"):
        run_with(tmp_path / "run", systems, until_decided=True)
