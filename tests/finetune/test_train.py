"""Training end to end on a tiny encoder: tokenize, train, evaluate, save, load, predict; and every refusal."""

import json
import shutil
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.registry import fingerprint
from data.splits import without_overlap
from data.types import Item
from finetune.card import read_card
from finetune.check import check
from finetune.classifier import load_classifier
from finetune.config import TrainSettings, declared_settings, make_settings, parse_overrides, settings_table, use_bf16
from finetune.encoders import load_tokenizer
from finetune.features import coverage
from finetune.training_curves import draw_curves
from tests.support.tiny_encoder import LABELS, MAX_POSITIONS, make_encoder, toy_items
from tests.support.trainings import log_of, train_toy

# fp32 losses of the first steps at seed 0; they move only if what is computed moves.
PINNED_LOSSES = [1.216270, 0.781974, 1.503732, 1.289262, 1.804745, 1.311017, 1.278233, 1.174973]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def test_an_encoder_that_was_not_made_for_the_language_is_named_before_it_is_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    english = ["The parcel has not arrived at my address yet.", "I would like my money back, please."]
    korean = ["택배가 아직 도착하지 않았습니다.", "환불을 받고 싶습니다. 어떻게 하나요?"]
    tokenizer = load_tokenizer("minilm")
    assert not coverage(tokenizer, english).is_poor and coverage(tokenizer, korean).is_poor
    for texts, said in ((english, False), (korean, True)):
        items = [
            Item(id=f"{n}", inputs={"text": texts[n % 2]}, choices=("a", "b"), target=n % 2, group=f"{n}")
            for n in range(8)
        ]
        check(
            make_settings({"model": "minilm", "text_fields": ["text"]}),
            train_items=items,
            eval_items=items[:1],
            labels=["a", "b"],
        )
        assert ("'minilm' hardly reads these texts" in capsys.readouterr().err) is said


@pytest.fixture(scope="module")
def checkpoint(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_toy(encoder, tmp_path_factory.mktemp("trained") / "checkpoint")


def test_losses_are_the_pinned_ones(checkpoint: Path) -> None:
    losses = [event["loss"] for event in log_of(checkpoint) if event["event"] == "step"]
    assert losses[: len(PINNED_LOSSES)] == pytest.approx(PINNED_LOSSES, rel=1e-4)


def test_it_learns_what_can_be_learnt(checkpoint: Path) -> None:
    evaluations = [event for event in log_of(checkpoint) if event["event"] == "evaluation"]
    assert evaluations[0]["step"] == 0
    assert len(evaluations) == 1 + 6
    assert evaluations[-1]["loss"] < evaluations[0]["loss"] / 2
    assert evaluations[-1]["accuracy"] > 0.8


def test_loaded_checkpoint_scores_what_training_measured(checkpoint: Path) -> None:
    items = toy_items(60, seed=2, split="validation")
    predictions = load_classifier(checkpoint, labels=LABELS, bf16="off").batch([item.to_input() for item in items])
    right = sum(prediction.choice == item.target for prediction, item in zip(predictions, items, strict=True))
    assert right / len(items) == pytest.approx(read_card(checkpoint)["metrics"]["final"]["accuracy"])


def test_card_says_what_was_done(checkpoint: Path, encoder: Path) -> None:
    card = read_card(checkpoint)
    assert card["base_model"] == str(encoder)
    assert card["labels"] == list(LABELS)
    assert card["text_fields"] == ["premise", "hypothesis"]
    assert card["data"]["train"]["n"] == 192
    assert card["data"]["train"]["fingerprint"] == fingerprint(toy_items(192, seed=1))
    assert card["steps"] == 72
    assert card["wall_s"] > 0
    assert card["hardware"]["cpus"] >= 1
    assert card["versions"]["torch"]
    arguments = card["training_arguments"]
    assert arguments["learning_rate"] == 3e-3 and arguments["per_device_train_batch_size"] == 16
    assert arguments["adam_beta1"] == 0.9
    assert not [name for name, value in arguments.items() if str(checkpoint.parent) in str(value)]
    page = (checkpoint / "README.md").read_text()
    assert "| accuracy |" in page
    assert '| train_sampling_strategy | `"group_by_length"` |' in page and "adam_beta1" not in page
    assert all(f"- {sentence}\n" in page for sentence in card["conclusion"]) and card["conclusion"]


def test_checkpoint_is_whole_and_holds_no_pickle(checkpoint: Path) -> None:
    names = {path.name for path in checkpoint.iterdir()}
    assert names >= {
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "curves.svg",
        "curves.png",
        "roc.svg",
        "README.md",
    }
    assert not [name for name in names if name.endswith((".bin", ".pkl", ".pt"))]
    assert list(checkpoint.parent.iterdir()) == [checkpoint]
    assert json.loads((checkpoint / "config.json").read_text())["id2label"] == dict(zip("012", LABELS, strict=True))


@pytest.mark.parametrize(("every_s", "steps"), [(3600.0, [12]), (0.0, [0, 6, 12, 12, 12])])
def test_curves_are_drawn_at_the_end_and_at_times_before(encoder, tmp_path, monkeypatch, every_s, steps) -> None:
    drawn = []

    def draw(events: list[dict], folder: Path) -> None:
        drawn.append(events[-1]["step"])
        draw_curves(events, folder)

    monkeypatch.setattr("finetune.training_log.CURVES_EVERY_S", every_s)
    monkeypatch.setattr("finetune.training_log.draw_curves", draw)
    out = train_toy(encoder, tmp_path / "out", epochs=1, eval_steps=6, save_steps=1000)
    assert drawn == steps
    assert (out / "curves.svg").stat().st_size > 1000


def test_stdout_stays_empty(encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_toy(encoder, tmp_path / "out", epochs=0.1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "initial evaluation" in captured.err


def test_the_head_of_a_classifier_keeps_its_own_label_order(tmp_path: Path) -> None:
    permuted = ("Contradiction", "Entailment", "Neutral")
    out = train_toy(make_encoder(tmp_path / "nli", labels=permuted), tmp_path / "out", eval_steps=1000)
    assert read_card(out)["labels"] == list(permuted)
    items = toy_items(30, seed=3)
    predictions = load_classifier(out, labels=LABELS, bf16="off").batch([item.to_input() for item in items])
    assert sum(p.choice == item.target for p, item in zip(predictions, items, strict=True)) > 15


def test_one_text_field_and_extra_arguments(encoder: Path, tmp_path: Path) -> None:
    extra = {"max_steps": 2, "lr_scheduler_type": "constant"}
    out = train_toy(encoder, tmp_path / "out", text_fields=("hypothesis",), extra=extra, eval_steps=1, warmup=0)
    assert [e["step"] for e in log_of(out) if e["event"] == "evaluation"] == [0, 1, 2]
    assert {e["learning_rate"] for e in log_of(out) if e["event"] == "step"} == {3e-3}
    assert load_classifier(out, labels=LABELS).text_fields == ("hypothesis",)


def one_label(n: int) -> list:
    return [item for item in toy_items(3 * n, seed=4) if item.target == 0]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"train_items": []}, ConfigurationError, "no items to train"),
        ({"eval_items": []}, ConfigurationError, "no items to evaluate"),
        ({"train_items": one_label(8)}, ConfigurationError, "label 'entailment'; at least two"),
        ({"labels": ("yes", "no")}, ConfigurationError, "the labels are: yes, no"),
        ({"eval_items": toy_items(192, seed=1)}, ConfigurationError, "every training item (192) is an evaluated"),
        ({"text_fields": ("premise", "answer")}, ConfigurationError, "no text 'answer'"),
        ({"max_length": MAX_POSITIONS + 1}, ConfigurationError, f"--max-length {MAX_POSITIONS}"),
        ({"extra": {"lr_sheduler_type": "cosine"}}, ConfigurationError, "did you mean 'lr_scheduler_type'"),
        ({"extra": {"lr_scheduler_type": "zigzag"}}, ConfigurationError, "refuses these training arguments"),
        ({"extra": {"max_steps": "abc"}}, ConfigurationError, "--set max_steps='abc': Input should be a valid integer"),
        ({"extra": {"max_grad_norm": float("inf")}}, ConfigurationError, "max_grad_norm=inf"),
        ({"extra": {"eval_accumulation_steps": 0}}, ConfigurationError, "must be 1 or more"),
        ({"gradient_accumulation_steps": 3}, ConfigurationError, "a batch of 16 cannot be divided"),
        ({"extra": {"train_sampling_strategy": "sequential"}}, ConfigurationError, "one of group_by_length, random"),
        ({"patience": 1, "extra": {"metric_for_best_model": "f1"}}, ConfigurationError, "one of loss, accuracy"),
        ({"extra": {"lr_scheduler_type": "cosine_with_min_lr"}}, ConfigurationError, "refuses these training"),
        ({"extra": {"lr_scheduler_kwargs": "abc"}}, ConfigurationError, "takes a JSON object"),
        ({"extra": {"optim": "galore_adamw"}}, ConfigurationError, "refuses these training arguments"),
        ({"model": "./nowhere"}, MissingResourceError, "there is no folder './nowhere'"),
        ({"model": "distilbert-base-uncased-not-cached"}, MissingResourceError, "'minilm'"),
    ],
)
def test_what_cannot_work_is_said_before_training(encoder, tmp_path, changes, error, words) -> None:
    with pytest.raises(error, match=r"^[^\n]*$") as caught:
        train_toy(encoder, tmp_path / "out", **changes)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_checkpoint_is_never_overwritten(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(ConfigurationError, match="exists and is not empty"):
        train_toy(encoder, tmp_path)
    with pytest.raises(ConfigurationError, match=r"kept.* cannot be written: .*name another --out"):
        train_toy(encoder, tmp_path / "kept" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_loss_that_is_no_number_stops_the_run(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lower --learning-rate"):
        train_toy(encoder, tmp_path / "out", learning_rate=1e30, extra={"max_grad_norm": 0.0})
    assert list(tmp_path.iterdir()) == []


def test_the_documents_table_of_the_settings_is_what_they_say_of_themselves() -> None:
    document = Path(__file__).parents[2] / "docs" / "fine-tuning.md"
    assert settings_table() in document.read_text(encoding="utf-8")


def test_settings() -> None:
    assert TrainSettings(model="minilm").learning_rate == TrainSettings().learning_rate == 5e-5
    assert use_bf16("on")
    assert not use_bf16("off")
    assert parse_overrides(["max_steps=5", "optim=adafactor"]) == {"max_steps": 5, "optim": "adafactor"}
    with pytest.raises(ConfigurationError, match="name=value"):
        parse_overrides(["max_steps"])
    with pytest.raises(ConfigurationError, match="Allowed: model,"):
        make_settings({"epoch": 3})
    with pytest.raises(ConfigurationError, match="'epochs' = 'two'"):
        make_settings({"epochs": "two"})
    for name in ("epochs", "learning_rate", "warmup", "weight_decay", "logging_steps"):
        for value in ("inf", "nan"):
            with pytest.raises(ConfigurationError, match=f"'{name}' = '{value}'"):
                make_settings({name: value})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((name, "instead") for one in declared_settings().values() for name in one.decides),
        *((name, "cannot be changed") for name in ("output_dir", "save_strategy", "save_total_limit", "eval_delay")),
        *((name, "cannot be changed") for name in ("report_to", "push_to_hub", "hub_token", "save_safetensors")),
    ],
)
def test_what_the_project_decides_cannot_be_overridden(name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--set {name}=.*{words}"):
        make_settings({"extra": {name: "x"}})


def test_training_items_that_are_evaluated_are_left_out_and_said(encoder, tmp_path, capsys) -> None:
    shared = [
        item.model_copy(update={"inputs": {name: f" {text.upper()}" for name, text in item.inputs.items()}})
        for item in toy_items(6, seed=1)
    ]
    evaluated = [*shared, *toy_items(9, seed=2, split="validation")]
    train_items = toy_items(48, seed=1)
    out = train_toy(encoder, tmp_path / "out", train_items=train_items, eval_items=evaluated, epochs=0.5)
    assert "6 of 48 training items are also evaluated and are left out" in capsys.readouterr().err
    learnt = read_card(out)["data"]["train"]
    assert (learnt["n"], learnt["left_out"]) == (42, 6)
    assert learnt["fingerprint"] == fingerprint(train_items[6:])
    assert "6 training items were left out" in (out / "README.md").read_text()


def test_overlap_folds_case_and_white_space_and_keeps_the_order() -> None:
    items = toy_items(9, seed=1)
    same = items[4].model_copy(update={"inputs": {name: f"\n{t.title()} " for name, t in items[4].inputs.items()}})
    assert without_overlap(items, [same]) == [*items[:4], *items[5:]]
    assert without_overlap(items, []) == items
    assert without_overlap([], items) == []
    with pytest.raises(ConfigurationError, match=r"every training item \(9\)"):
        without_overlap(items, items)


def test_an_encoder_whose_weights_do_not_fit_is_refused(encoder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(encoder, tmp_path / "encoder"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"dim": 64}))
    with pytest.raises(ConfigurationError, match=r"do not fit its config.json, such as distilbert\."):
        train_toy(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hub_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import time
    from types import SimpleNamespace

    import huggingface_hub
    from transformers import AutoConfig

    from data.common import hub
    from finetune import encoders

    released, answer = threading.Event(), SimpleNamespace(id="nobody/nothing", sha="0" * 40)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **kwargs: released.wait(30) and answer)
    monkeypatch.setattr(hub, "HUB_DEADLINE_S", 0.2)
    started = time.perf_counter()
    with pytest.raises(MissingResourceError, match="cannot be reached"):
        encoders.load_pretrained(AutoConfig, "nobody/nothing")
    assert time.perf_counter() - started < 5
    released.set()


@pytest.mark.weights
def test_the_packaged_encoder_takes_the_same_path(tmp_path: Path) -> None:
    out = train_toy(Path("minilm"), tmp_path / "out", epochs=1, batch_size=32, learning_rate=2e-4, bf16="auto")
    assert "saw MNLI" in (out / "README.md").read_text()
    assert read_card(out)["metrics"]["final"]["loss"] < read_card(out)["metrics"]["initial"]["loss"]
