"""A checkpoint made ready to leave: as a plain transformers folder, or as an ONNX model for other runtimes.

    checkpoint or hub id → safetensors: model.safetensors, config.json, tokenizer, card and README
                         → onnx:        model.onnx (dynamic batch and length), config.json, tokenizer, card

config.json names the labels of the output columns (`id2label`). The folder is renamed to its name when it is whole.
"""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.files import faults_of_writing, whole_folder
from data.common.hub import quiet_transformers
from data.common.parsing import JsonObject
from data.common.text import one_line
from finetune.card import CARD_FILE
from finetune.classifier import Classifier, classifier_config, load_classifier
from finetune.encoders import label_names, resolve
from finetune.training_curves import PLOT_FILES
from finetune.training_log import LOG_FILE
from finetune.working_folder import check_free

if TYPE_CHECKING:
    from transformers import BatchEncoding

ONNX_FILE = "model.onnx"
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-3  # of a logit: float32 in another order of operations differs by about 1e-6 a layer
ONE_FILE_BYTES = 1_500_000_000  # protobuf ends at 2 GB; above this the weights go into a file beside it
TRACED = (("a premise of some words", "a hypothesis"), ("a premise", "another hypothesis of more words than it"))
CHECKED = (("one", "two"), ("a man walks", "nobody walks at all"), ("the dog sits in a house", "a dog sits"))


def export_checkpoint(checkpoint: str | Path, out: Path, *, form: str) -> JsonObject:
    """Write a checkpoint to a new folder.

    Args:
        checkpoint: A folder that `finetune train` wrote, any other sequence classifier's, or a hub id.
        out: The folder; it must not exist, or be empty.
        form: "safetensors" or "onnx".

    Returns:
        What was written: `checkpoint`, `format`, `out`, `labels` in the order of the output columns, `files` with their
        sizes in bytes; for ONNX also the `inputs` and the largest difference of a logit from torch's.

    Raises:
        MissingResourceError: The checkpoint or, for ONNX, a package is not there.
        ConfigurationError: The checkpoint is no sequence classifier, the model has no ONNX form, or `out` is in use.
    """
    if form not in FORMS:
        raise ValueError(f"format {form!r} is none of {', '.join(FORMS)}")
    check_free(out)
    if form == "onnx":
        _check_packages()
    labels = label_names(classifier_config(checkpoint))
    classifier = load_classifier(checkpoint, labels=labels, bf16="off")
    cast(torch.nn.Module, classifier.model).to("cpu")
    with faults_of_writing(out, "name another --out"), whole_folder(out) as folder, quiet_transformers():
        classifier.tokenizer.save_pretrained(folder)
        _copy_card(checkpoint, folder, form)
        said = FORMS[form](classifier, folder)
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    head = {"checkpoint": str(checkpoint), "format": form, "out": str(out), "labels": labels}
    return head | dict(said) | {"files": files}


def _save_safetensors(classifier: Classifier, folder: Path) -> Mapping[str, Any]:
    classifier.model.save_pretrained(folder)
    return {}


def _save_onnx(classifier: Classifier, folder: Path) -> Mapping[str, Any]:
    classifier.model.config.save_pretrained(folder)
    batch = _batch(classifier, TRACED)
    dynamic = tuple({0: "batch", 1: "sequence"} for _ in batch)
    weights = sum(weight.numel() * weight.element_size() for weight in classifier.model.parameters())
    try:
        with _quiet_exporter():
            program = torch.onnx.export(
                _Logits(classifier.model, tuple(batch)).eval(),
                tuple(batch.values()),
                input_names=list(batch),
                output_names=["logits"],
                dynamic_shapes=(dynamic,),
                dynamo=True,
                verbose=False,
            )
            assert program is not None  # only the older exporter returns nothing
            _forget_sources(program.model)
            program.save(folder / ONNX_FILE, external_data=weights > ONE_FILE_BYTES)
    except torch.onnx.OnnxExporterError as error:
        raise ConfigurationError(
            f"torch cannot export this {classifier.model.config.model_type} to ONNX: {one_line(error)}; "
            "use --format safetensors"
        ) from error
    return {"inputs": list(batch), "largest_difference": _largest_difference(classifier, folder / ONNX_FILE)}


FORMS: dict[str, Callable[[Classifier, Path], Mapping[str, Any]]] = {
    "onnx": _save_onnx,
    "safetensors": _save_safetensors,
}


class _Logits(torch.nn.Module):
    """The classifier with its inputs in a fixed order and the logits as its only output."""

    def __init__(self, model: torch.nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(**dict(zip(self.names, inputs, strict=True))).logits
        return logits  # (B, n_labels)


def _batch(classifier: Classifier, pairs: tuple[tuple[str, str], ...]) -> "BatchEncoding":
    """Encode sentences as the classifier reads them; all inputs are (B, T)."""
    columns = [list(column) for column in zip(*pairs, strict=True)][: len(classifier.text_fields)]
    batch: BatchEncoding = classifier.tokenizer(*columns, padding=True, return_tensors="pt")
    return batch


def _forget_sources(model: Any) -> None:
    """Remove what the exporter notes on every node: stack traces, with the paths of the machine it ran on."""
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            node.metadata_props.clear()
            for value in node.outputs:
                value.metadata_props.clear()


def _largest_difference(classifier: Classifier, file: Path) -> float:
    """Compare the written model with torch on a batch of another size and length than it was traced with."""
    import onnxruntime

    batch = _batch(classifier, CHECKED)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {name: tensor.numpy() for name, tensor in batch.items()})
    with torch.no_grad():
        wanted = classifier.model(**batch).logits
    difference = float((torch.from_numpy(found) - wanted).abs().max())
    if not difference <= TOLERANCE:
        raise ConfigurationError(
            f"the ONNX model answers otherwise than torch's: a logit differs by {difference:.2g}, more than "
            f"{TOLERANCE}; use --format safetensors"
        )
    return difference


def _copy_card(checkpoint: str | Path, folder: Path, form: str) -> None:
    """Take the card along; the README says how to load the checkpoint with transformers, so ONNX goes without it."""
    source = resolve(checkpoint)
    files = (CARD_FILE, "README.md", *PLOT_FILES, LOG_FILE) if form == "safetensors" else (CARD_FILE,)
    for name in files:
        if isinstance(source, Path) and (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _check_packages() -> None:
    missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
    if missing:
        needed = f"export to ONNX needs the package {missing[0]}, which is not installed"
        raise MissingResourceError(f"{needed}; run: pip install {' '.join(ONNX_PACKAGES)}")


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep back what the exporter says of itself: absent torchvision, deprecations, names of axes it merged."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
