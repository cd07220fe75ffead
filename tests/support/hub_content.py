"""What the hub of the tests holds: GLUE and a small DistilBERT as their repositories lay them out, and odd ones."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from data.mnli import HUB_ID, LABELS, REVISION
from tests.support.hub_repository import Repository
from tests.support.hub_server import Hub
from tests.support.tiny_encoder import make_encoder, toy_items

ENCODER = "distilbert/distilbert-base-uncased"
ENCODER_ALIAS = "distilbert-base-uncased"  # its name before models had owners
MNLI = {"train": 48, "validation_matched": 24, "validation_mismatched": 18}


def parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), file)
    return file.getvalue()


def classes(*names: str) -> dict[str, Any]:
    """Return the type of a column of classes as a card names it."""
    return {"class_label": {"names": {str(number): name for number, name in enumerate(names)}}}


def config(
    name: str, columns: Mapping[str, Any], splits: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]:
    """Return a configuration as a card has it (`configs`, `dataset_info`), and its files."""
    files = {f"{name}/{split}-00000-of-00001.parquet": parquet(rows) for split, rows in splits.items()}
    data_files = [{"split": split, "path": f"{name}/{split}-*"} for split in splits]
    features = [{"name": column, "dtype": dtype} for column, dtype in columns.items()]
    sizes = [{"name": split, "num_examples": len(rows), "num_bytes": 1} for split, rows in splits.items()]
    info = {"config_name": name, "features": features, "splits": sizes}
    return {"config_name": name, "data_files": data_files}, info, files


def dataset(*configs: tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]) -> dict[str, bytes]:
    """Return the files of a data set with its card."""
    about = {"configs": [one for one, _, _ in configs], "dataset_info": [info for _, info, _ in configs]}
    files = {path: content for _, _, own in configs for path, content in own.items()}
    card = f"---\n{yaml.safe_dump(about, sort_keys=False)}---\n# A data set\n"
    return {"README.md": card.encode(), ".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n", **files}


def glue() -> dict[str, bytes]:
    """Return GLUE's layout with rows of the toy task: two configurations, and test splits whose labels are hidden."""
    pairs = {split: _pairs(n, seed=n) for split, n in MNLI.items()}
    pairs["test_matched"] = [{**row, "label": -1} for row in _pairs(12, seed=5)]
    texts = {
        split: [
            {"sentence": row["hypothesis"], "label": label(number), "idx": number} for number, row in enumerate(rows)
        ]
        for split, rows, label in (
            ("train", _pairs(40, seed=6), lambda number: number % 2),
            ("validation", _pairs(20, seed=7), lambda number: number % 2),
            ("test", _pairs(20, seed=8), lambda _: -1),
        )
    }
    columns = {"premise": "string", "hypothesis": "string", "label": classes(*LABELS), "idx": "int32"}
    return dataset(
        config("mnli", columns, pairs),
        config("sst2", {"sentence": "string", "label": classes("negative", "positive"), "idx": "int32"}, texts),
    )


def _pairs(n: int, *, seed: int) -> list[dict[str, Any]]:
    return [
        {
            "premise": item.inputs["premise"],
            "hypothesis": item.inputs["hypothesis"],
            "label": item.target,
            "idx": number,
        }
        for number, item in enumerate(toy_items(n, seed=seed))
    ]


def folder_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, such as a checkpoint's, as a repository's."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def add_glue(hub: Hub) -> Repository:
    repository = hub.add("datasets", HUB_ID)
    repository.commit(glue(), sha=REVISION)
    return repository


def add_encoder(hub: Hub, folder: Path) -> Repository:
    """Add a random DistilBERT of two layers under the name of the real one."""
    repository = hub.add("models", ENCODER, alias=ENCODER_ALIAS)
    repository.commit(folder_files(make_encoder(folder, positions=512)))
    return repository


def tickets_csv(n: int = 40) -> bytes:
    """Return a labelled file of two labels."""
    rows = [f"message {number} about {topic},{topic}" for number, topic in zip(range(n), ("cards", "refunds") * n)]  # noqa: B905
    return "\n".join(["text,label", *rows]).encode()


def quiz() -> dict[str, bytes]:
    """Return questions with choices of their own, whose answer is a class named by a letter, as MMLU is laid out."""
    rows = [
        {"question": f"Which one is number {number}?", "choices": [f"{number + k}" for k in range(4)], "answer": 0}
        for number in range(40)
    ]
    columns = {"question": "string", "choices": {"sequence": "string"}, "answer": classes("A", "B", "C", "D")}
    features = [{"name": name, **({"dtype": kind} if name != "choices" else kind)} for name, kind in columns.items()]
    about, info, files = config("all", {}, {"dev": rows[:4], "test": rows})
    return dataset((about, info | {"features": features}, files))
