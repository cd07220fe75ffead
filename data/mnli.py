"""MNLI: does a premise entail a hypothesis, leave it open (neutral), or contradict it?

In comes a split of GLUE's MNLI through the Hugging Face hub or its cache, the sample that ships, or any
three-way NLI file; out come items whose choices are the three labels, in GLUE's order.

Source:
    Williams, Nangia and Bowman, "A Broad-Coverage Challenge Corpus for Sentence Understanding through
    Inference", NAACL 2018; the splits are those of GLUE (Wang et al., 2019).
"""

import reprlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.parsing import JsonObject
from data.common.terminal import say
from data.common.text import normalised
from data.formats import PAIRS, described, folder_contents, object_kind
from data.hub_name import HubName
from data.hub_tables import hub_splits
from data.rows import Row, required_text, rows_and_faults
from data.splits import cluster_of
from data.types import Benchmark, Item

LABELS = ("entailment", "neutral", "contradiction")
ANNOTATIONS = frozenset({*LABELS, "-", ""})  # what SNLI's single annotators said, or did not
UNLABELLED = ("-", "-1", "hidden")  # MultiNLI's and SNLI's "no gold label", and how GLUE hides its test labels
HUB_ID = "nyu-mll/glue"
HUB_CONFIG = "mnli"
REVISION = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"

BENCHMARK = Benchmark(
    name="mnli",
    title="MNLI: natural language inference in ten genres of English, three labels",
    language="en",
    labels=LABELS,
    splits=("train", "validation_matched", "validation_mismatched", "sample", "sample_train"),
    default_split="validation_matched",
    sample_split="sample",
    train_splits={"validation_matched": "train", "validation_mismatched": "train", "sample": "sample_train"},
    source=f"https://huggingface.co/datasets/{HUB_ID}, config {HUB_CONFIG}, revision {REVISION}",
    licence="OANC terms, parts CC BY 3.0 and CC BY-SA 3.0 (fiction); the sample is MIT",
    citation="Williams, Nangia and Bowman, NAACL 2018 (https://aclanthology.org/N18-1101)",
)

SAMPLES = {"sample": "mnli_sample.jsonl", "sample_train": "mnli_sample_train.jsonl"}

# What the same split is called in a folder: here, in GLUE's own archive, and in the original release.
FILE_STEMS = {
    "train": ("train", "multinli_1.0_train"),
    "validation_matched": ("validation_matched", "dev_matched", "multinli_1.0_dev_matched"),
    "validation_mismatched": ("validation_mismatched", "dev_mismatched", "multinli_1.0_dev_mismatched"),
}

OFFLINE_WAYS = "offline, pass --data PATH (.jsonl, .json or .tsv), or use --split sample"


def load(split: str | None, path: Path | None, *, skip_bad_rows: bool = False) -> list[Item]:
    """Return the labelled pairs of a split, in its order; a pair's number is its row, counted from 0.

    Args:
        split: A name of `BENCHMARK.splits`; None is the default one. A path that is a file stands for itself.
        path: A file of pairs, or a folder that holds `<split>.jsonl`, `.json` or `.tsv`; None reads the
            sample from this project and every other split from the hub or its cache.
        skip_bad_rows: Leave out rows that are malformed, and say how many; else the first is an error.

    Raises:
        ConfigurationError: A row is malformed (the message names the line), all are, or no row has a label.
        MissingResourceError: The file is not there, or the hub cannot be reached; names the offline ways.
    """
    split = split or BENCHMARK.default_split
    if path is not None:
        file = _local_file(path, split)
        return _local_items(file, split if path.is_dir() else file.stem, skip_bad_rows=skip_bad_rows)
    if split in SAMPLES:
        return _local_items(Path(__file__).parent / "samples" / SAMPLES[split], split, skip_bad_rows=False)
    return list(_hub_items(split))


def _item(name: str, *, premise: str, hypothesis: str, target: int, genre: str = "") -> Item:
    premise = normalised(premise)  # here already, for pairs that look alike are one cluster
    return Item(
        id=f"mnli/{name}",
        inputs={"premise": premise, "hypothesis": hypothesis},
        choices=LABELS,
        target=target,
        # Annotators wrote three hypotheses for a premise: they are one cluster.
        group=f"mnli/premise/{cluster_of(premise)}",
        tags=(f"genre:{genre}",) if genre else (),
    )


def _local_file(path: Path, split: str) -> Path:
    if not path.is_dir():
        if not path.exists():
            raise MissingResourceError(f"there is no file or folder {path}; {OFFLINE_WAYS}")
        return path
    stems = FILE_STEMS.get(split, (split,))
    candidates = [path / f"{stem}{suffix}" for stem in stems for suffix in (".jsonl", ".json", ".tsv")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    present = folder_contents(path)
    raise MissingResourceError(f"{path} has no {split}.jsonl, .json or .tsv; it holds {present}; --data FILE works too")


def _local_items(file: Path, split: str, *, skip_bad_rows: bool) -> list[Item]:
    items: list[Item] = []
    faults: list[ConfigurationError] = []
    unlabelled = 0
    for number, (place, row) in enumerate(rows_and_faults(file, annotations=ANNOTATIONS)):
        try:
            item = _row_item(file, place, row, item=f"{split}/{number}")
        except ConfigurationError as fault:
            faults.append(fault)
            continue
        if item is None:
            unlabelled += 1
        else:
            items.append(item)
    if faults and not items:
        kind = described(file)
        another = "" if kind == f"JSON Lines of {PAIRS}" or kind.startswith("tab-") else f"; the file is {kind}"
        raise ConfigurationError(f"{faults[0]}; no row is left without the {len(faults)} that are malformed{another}")
    if faults and not skip_bad_rows:
        raise ConfigurationError(f"{faults[0]}; mend it, or leave such rows out with --skip-bad-rows")
    if unlabelled and not items:
        raise ConfigurationError(
            f"{file}: none of its {unlabelled} pairs has a label, as in GLUE's test sets; use a validation split"
        )
    if faults:
        say(f"left out {len(faults)} malformed row{'s' if len(faults) > 1 else ''}, first {faults[0]}")
    if unlabelled:
        say(f"{file}: left out {unlabelled} pairs without a gold label ({' or '.join(UNLABELLED)})")
    return items


def _row_item(file: Path, place: str, row: Row | ConfigurationError, *, item: str) -> Item | None:
    """Return a row as an item; None where it has no gold label.

    Raises:
        ConfigurationError: The row is malformed.
    """
    if isinstance(row, ConfigurationError):
        raise row
    target = _target(file, place, row)
    if target is None:
        return None
    return _item(
        item,
        premise=required_text(file, place, row, "premise", "sentence1"),
        hypothesis=required_text(file, place, row, "hypothesis", "sentence2"),
        target=target,
        genre=required_text(file, place, row, "genre") if row.get("genre") else "",
    )


def _target(file: Path, place: str, row: Row) -> int | None:
    """Return a row's target; None where it has no gold label."""
    key = "label" if "label" in row else "gold_label"
    if key not in row:
        known = f" (the rows are {kind})" if (kind := object_kind(row)) not in (None, PAIRS) else ""
        raise ConfigurationError(
            f"{file}, {place}: lacks label or gold_label; it has {', '.join(row) or 'nothing'}{known}"
        )
    label = normalised(str(row[key])).strip().lower() if isinstance(row[key], str | int) else ""
    if label in UNLABELLED:
        return None
    if label in LABELS:
        return LABELS.index(label)
    if label in ("0", "1", "2"):
        return int(label)
    allowed = f"{', '.join(LABELS)} (or 0, 1, 2), or '-' or -1 for none"
    raise ConfigurationError(f"{file}, {place}: label {reprlib.repr(row[key])} is unknown; allowed: {allowed}")


def _hub_items(split: str) -> Iterator[Item]:
    try:
        pairs = hub_splits(HubName(HUB_ID, HUB_CONFIG, REVISION))[split]
    except MissingResourceError as error:
        raise MissingResourceError(f"mnli {split}: {error}; {OFFLINE_WAYS}") from error
    names: list[str] = pairs.features["label"].names
    targets = {value: LABELS.index(name) for value, name in enumerate(names)}
    rows: Iterable[JsonObject] = pairs
    for number, row in enumerate(rows):
        target = targets[row["label"]]
        yield _item(f"{split}/{number}", premise=row["premise"], hypothesis=row["hypothesis"], target=target)
