"""`python -m finetune`: what it prints, where, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.__main__ import main
from tests.support.tiny_encoder import MAX_POSITIONS, make_encoder, write_nli


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_nli(tmp_path_factory.mktemp("data"), train=(96, 1), validation_matched=(30, 2))
    (folder / "one.jsonl").write_text('{"premise": "a", "hypothesis": "b", "label": "neutral"}\n' * 3)
    return folder


def train_options(encoder: Path, data: Path, out: Path, *more: str) -> list[str]:
    plain = ["--data", str(data), "--model", str(encoder), "--max-length", "48", "--batch-size", "16", "--epochs", "1"]
    return ["train", *plain, "--learning-rate", "3e-3", "--bf16", "off", "--out", str(out), *more]


def test_train_then_evaluate(encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "checkpoint"
    assert main(train_options(encoder, data, out, "--set", "lr_scheduler_type=cosine")) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split() == ["metric", "value", "95", "%", "interval"]
    assert "accuracy before training" in printed.out
    assert "initial evaluation" in printed.err

    assert main(["evaluate", "--checkpoint", str(out), "--data", str(data), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    card = json.loads((out / "training_card.json").read_text())
    assert measured["n"] == 30
    assert measured["fingerprint"] == card["data"]["eval"]["fingerprint"]
    assert measured["metrics"]["accuracy"] == pytest.approx(card["metrics"]["final"]["accuracy"], abs=0.05)
    assert {"precision", "recall", "roc_auc"} <= set(card["metrics"]["final"])
    assert card["training_arguments"]["lr_scheduler_type"] == "cosine"
    assert "is right on" in card["conclusion"][0] and (out / "roc.svg").is_file()
    assert card["settings"]["extra"] == {"lr_scheduler_type": "cosine"}

    assert main(["evaluate", "--checkpoint", str(out), "--data", str(data), "--limit", "12"]) == 0
    assert "12 items" in capsys.readouterr().out


def test_eda(encoder: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "eda",
        "--data",
        str(data),
        "--model",
        str(encoder),
        "--max-length",
        "16",
        "--out",
        str(tmp_path / "eda"),
    ]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert "hypothesis" in printed and "[CLS] " in printed and "padding, batches of 64" in printed
    assert (tmp_path / "eda" / "padding.png").is_file()
    assert main([*options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "eda" / "eda.json").read_text())


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--model", "distilbert-base-uncased-not-cached"], 3, "is not on this machine"),
        (["--model", "./nowhere"], 3, "there is no folder './nowhere'"),
        (["--max-length", str(MAX_POSITIONS + 1)], 2, f"--max-length {MAX_POSITIONS}"),
        (["--max-length", "long"], 2, "'max_length' = 'long'"),
        (["--set", "epochs"], 2, "name=value"),
        (["--set", "no_such_field=1"], 2, "no such field"),
        (["--benchmark", "kice"], 2, "choices of their own"),
        (["--benchmark", "nmli"], 2, "Did you mean 'mnli'"),
        (["--split", "test"], 2, "unknown split"),
        (["--text-fields", "premise,question"], 2, "no text 'question'"),
        (["--data", "nowhere"], 3, "nowhere"),
        (["--split", "validation_matched"], 2, "every training item (30) is an evaluated item"),
        (["--text-fields", "premise,hypothesis,label"], 2, "name one input, or two"),
        (["--epochs", "inf"], 2, "'epochs' = 'inf'"),
        (["--warmup", "inf"], 2, "'warmup' = 'inf'"),
        (["--set", "max_steps=abc"], 2, "--set max_steps='abc'"),
        (["--set", "per_device_train_batch_size=0"], 2, "use --batch-size"),
        (["--set", "logging_steps=1"], 2, "use --logging-steps"),
        (["--set", "report_to=wandb"], 2, "cannot be changed"),
        (["--limit", "0"], 2, "limit 0"),
    ],
)
def test_faults_are_one_line_and_write_nothing(encoder, data, tmp_path, capsys, more, code, words) -> None:
    assert main(train_options(encoder, data, tmp_path / "out", *more)) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert list(tmp_path.iterdir()) == []


def test_eda_and_evaluate_check_their_options_first(encoder, data, tmp_path, capsys) -> None:
    eda = ["eda", "--data", str(data), "--model", str(encoder), "--out", str(tmp_path / "eda")]
    evaluate = ["evaluate", "--data", str(data), "--checkpoint", str(encoder)]
    for options, words in (
        ([*eda, "--max-length", "-5"], "'max_length' = '-5'"),
        ([*eda, "--text-fields", "premise,hypothesis,label"], "name one input, or two"),
        ([*eda, "--text-fields", "premise,premise"], "name one input, or two"),
        ([*evaluate, "--text-fields", "premise,hypothesis,label"], "name one input, or two"),
        ([*evaluate, "--text-fields", ""], "name one input, or two"),
    ):
        assert main(options) == 2
        assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_one_class_only_and_a_file_for_both_sides(encoder, data, tmp_path, capsys) -> None:
    one = data / "one.jsonl"
    assert main(train_options(encoder, one, tmp_path / "out", "--eval-data", str(data))) == 2
    assert "at least two labels" in capsys.readouterr().err
    assert main(train_options(encoder, data / "train.jsonl", tmp_path / "out")) == 2
    assert "--eval-data" in capsys.readouterr().err


def test_checkpoints_that_are_none(encoder, data, tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    other = make_encoder(tmp_path / "other", labels=("yes", "no"))
    capsys.readouterr()  # transformers shows a bar while it saves
    for checkpoint, code, words in (
        (tmp_path / "empty", 3, "is empty"),
        (tmp_path / "nowhere", 3, "a checkpoint is made by: python -m finetune train"),
        (encoder, 2, "no sequence classifier"),
        (other, 2, "has the labels yes, no; needed are entailment"),
    ):
        assert main(["evaluate", "--checkpoint", str(checkpoint), "--data", str(data)]) == code
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert words in printed.err


def test_debug_shows_the_traceback(data, tmp_path) -> None:
    from data.common.errors import MissingResourceError

    with pytest.raises(MissingResourceError):
        main(["evaluate", "--checkpoint", str(tmp_path / "nowhere"), "--data", str(data), "--debug"])


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from finetune.__main__ import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'transformers', 'numpy', 'langchain_core', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "batch 64, 400 tokens, 3 labels" in done.stdout
