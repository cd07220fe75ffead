"""Checkpoints that leave: an ONNX model that answers as torch does at any batch size and length, and plain folders."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from finetune.__main__ import main
from finetune.classifier import load_classifier
from finetune.export import export_checkpoint
from finetune.heads import load_new_classifier
from tests.support.tiny_encoder import LABELS, MAX_POSITIONS, make_encoder, toy_items

INPUTS = [item.to_input() for item in toy_items(8, seed=5)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_encoder(tmp_path_factory.mktemp("nli") / "checkpoint", labels=LABELS)
    card = {"schema_version": 1, "text_fields": ["premise", "hypothesis"], "max_length": 48}
    (folder / "training_card.json").write_text(json.dumps(card))
    (folder / "README.md").write_text("# A checkpoint\n")
    return folder


def with_pooling(checkpoint: Path, folder: Path, pooling: str) -> Path:
    shutil.copytree(checkpoint, folder)
    load_new_classifier(str(checkpoint), LABELS, pooling=pooling).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pooling", ["cls", "mean", "pair"])
def test_onnx_answers_as_torch_at_any_size(checkpoint: Path, tmp_path: Path, pooling: str) -> None:
    import onnxruntime

    source = with_pooling(checkpoint, tmp_path / "source", pooling)
    out = tmp_path / "exports" / "onnx"
    figures = export_checkpoint(source, out, form="onnx")
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(given.name, given.shape) for given in session.get_inputs()] == [
        ("input_ids", ["batch", "sequence"]),
        ("attention_mask", ["batch", "sequence"]),
    ]
    model = load_classifier(source, labels=LABELS, bf16="off").model.cpu()
    torch.manual_seed(1)
    for rows, length in ((1, 1), (1, 9), (2, 2), (3, 17), (7, MAX_POSITIONS)):
        ids = torch.randint(3, 20, (rows, length))  # 3: the separator
        mask = (torch.arange(length) < torch.randint(1, length + 1, (rows, 1))).long()
        (found,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        with torch.no_grad():
            wanted = model(input_ids=ids, attention_mask=mask).logits
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)
    assert figures["largest_difference"] < 1e-4
    assert b"site-packages" not in (out / "model.onnx").read_bytes()


def test_onnx_carries_labels_tokenizer_and_card(checkpoint: Path, tmp_path: Path, capfd) -> None:
    from transformers import AutoConfig, AutoTokenizer

    out = tmp_path / "onnx"
    out.mkdir()  # an empty folder may be there
    assert main(["export", "--checkpoint", str(checkpoint), "--out", str(out), "--format", "onnx", "--json"]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    figures = json.loads(printed.out)
    assert figures["labels"] == list(LABELS)
    assert AutoConfig.from_pretrained(out).id2label == dict(enumerate(LABELS))
    assert AutoTokenizer.from_pretrained(out).tokenize("the dog") == ["the", "dog"]
    assert json.loads((out / "training_card.json").read_text())["max_length"] == 48
    assert set(figures["files"]) == {path.name for path in out.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_safetensors_is_the_same_checkpoint_elsewhere(checkpoint: Path, tmp_path: Path, capfd) -> None:
    out = tmp_path / "copy"
    assert main(["export", "--checkpoint", str(checkpoint), "--out", str(out)]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert "model.safetensors" in printed.out
    before, after = (load_classifier(folder, labels=LABELS, bf16="off") for folder in (checkpoint, out))
    assert [row.probs for row in after.batch(INPUTS)] == [row.probs for row in before.batch(INPUTS)]
    assert after.max_length == 48
    assert (out / "README.md").read_text() == "# A checkpoint\n"


def test_faults_are_one_line_and_write_nothing(checkpoint: Path, tmp_path: Path, capfd, monkeypatch) -> None:
    encoder = make_encoder(tmp_path / "encoder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    capfd.readouterr()
    for source, out, form, code, words in (
        (checkpoint, "full", "safetensors", 2, "exists and is not empty"),
        (checkpoint, "full/file", "safetensors", 2, "exists and is not empty"),
        (checkpoint, "full/file/new", "safetensors", 2, "cannot be written"),
        (tmp_path / "nowhere", "new", "safetensors", 3, "a checkpoint is made by: python -m finetune train"),
        (encoder, "new", "safetensors", 2, "no sequence classifier"),
        (checkpoint, "new", "onnx", 3, "pip install onnx onnxscript onnxruntime"),
    ):
        assert main(["export", "--checkpoint", str(source), "--out", str(tmp_path / out), "--format", form]) == code
        printed = capfd.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert words in printed.err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_format_is_refused(checkpoint: Path, tmp_path: Path, capfd) -> None:
    with pytest.raises(SystemExit) as end:
        main(["export", "--checkpoint", str(checkpoint), "--out", str(tmp_path / "new"), "--format", "pickle"])
    assert end.value.code == 2
    assert "invalid choice: 'pickle'" in capfd.readouterr().err
    with pytest.raises(ValueError, match="'pickle'"):
        export_checkpoint(checkpoint, tmp_path / "new", form="pickle")
