"""NLI pairs from every layout they come in, and what is said of rows and places that are wrong."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.mnli import HUB_ID, LABELS, REVISION
from data.registry import fingerprint, load_items
from tests.support.folders import ROOT

PAIRS = [
    {"premise": "A man sleeps.", "hypothesis": "A man rests.", "label": "entailment", "genre": "fiction"},
    {"premise": "A man sleeps.", "hypothesis": "A man dreams.", "label": "neutral", "genre": "fiction"},
    {"premise": "It rains.", "hypothesis": "It is dry.", "label": "contradiction", "genre": "travel"},
]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_tsv(path: Path, columns: list[str], rows: list[list[str]]) -> Path:
    path.write_text("\n".join("\t".join(row) for row in [columns, *rows]) + "\n", encoding="utf-8")
    return path


def released(row: dict[str, Any]) -> dict[str, Any]:
    """The same pair as the original MultiNLI release writes it."""
    return {
        "annotator_labels": [row["label"]],
        "genre": row["genre"],
        "gold_label": row["label"],
        "sentence1": row["premise"],
        "sentence2": row["hypothesis"],
    }


def test_a_folder_of_splits_becomes_items(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "validation_matched.jsonl", PAIRS)
    items = load_items("mnli", path=tmp_path)
    assert [item.id for item in items] == [f"mnli/validation_matched/{n}" for n in range(3)]
    assert items[1].inputs == {"premise": "A man sleeps.", "hypothesis": "A man dreams."}
    assert [item.choices[item.target] for item in items] == ["entailment", "neutral", "contradiction"]
    assert items[0].choices == LABELS
    assert items[0].tags == ("genre:fiction",)
    assert items[0].group == items[1].group != items[2].group


def test_every_layout_gives_the_same_items(tmp_path: Path) -> None:
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "train.json").write_text(json.dumps(PAIRS), encoding="utf-8")
    expected = fingerprint(load_items("mnli", split="train", path=tmp_path / "list"))
    layouts = {
        "lines": lambda d: write_jsonl(d / "train.json", PAIRS),
        "numbers": lambda d: write_jsonl(
            d / "train.jsonl", [{**row, "label": LABELS.index(row["label"])} for row in PAIRS]
        ),
        "released": lambda d: write_jsonl(d / "multinli_1.0_train.jsonl", [released(row) for row in PAIRS]),
        "glue": lambda d: write_tsv(
            d / "train.tsv",
            ["index", "genre", "sentence1", "sentence2", "label1", "gold_label"],
            [
                [str(n), row["genre"], row["premise"], row["hypothesis"], row["label"], row["label"]]
                for n, row in enumerate(PAIRS)
            ],
        ),
    }
    for name, write in layouts.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name)
        assert fingerprint(load_items("mnli", split="train", path=tmp_path / name)) == expected, name


def test_glue_tsv_is_not_quoted(tmp_path: Path) -> None:
    columns = ["sentence1", "sentence2", "gold_label"]
    file = write_tsv(tmp_path / "dev_matched.tsv", columns, [['He said "no', 'and "yes".', "neutral"]])
    assert load_items("mnli", path=file)[0].inputs["premise"] == 'He said "no'
    assert load_items("mnli", path=tmp_path)[0].id == "mnli/validation_matched/0"


@pytest.mark.parametrize("label", ["-", -1, "-1", "hidden"])
def test_pairs_without_a_label_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: str | int
) -> None:
    rows = [released(row) for row in PAIRS]
    rows[1]["gold_label"] = label
    items = load_items("mnli", path=write_jsonl(tmp_path / "pairs.jsonl", rows))
    assert [item.id for item in items] == ["mnli/pairs/0", "mnli/pairs/2"]
    assert "left out 1 pairs without a gold label" in capsys.readouterr().err


@pytest.mark.parametrize("label", ["-", -1, "hidden"])
def test_a_file_whose_labels_are_all_hidden_is_refused(tmp_path: Path, label: str | int) -> None:
    path = write_jsonl(tmp_path / "test.jsonl", [{**row, "label": label} for row in PAIRS])
    with pytest.raises(ConfigurationError, match=r"none of its 3 pairs has a label.*use a validation split"):
        load_items("mnli", path=path)


def test_a_tsv_may_have_blank_lines_a_bom_and_windows_line_ends(tmp_path: Path) -> None:
    header = "sentence1\tsentence2\tgold_label"
    lines = ["", header, "A man sleeps.\tA man rests.\tentailment", "", "a\tb\tneutral", "\t"]
    path = tmp_path / "pairs.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    items = load_items("mnli", path=path)
    assert [(item.id, item.choices[item.target]) for item in items] == [
        ("mnli/pairs/0", "entailment"),
        ("mnli/pairs/1", "neutral"),
    ]
    assert items[0].inputs == {"premise": "A man sleeps.", "hypothesis": "A man rests."}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": "maybe"}, r"line 2: label 'maybe' is unknown; allowed: entailment, neutral, contradiction"),
        ({"label": 3}, r"line 2: label 3 is unknown"),
        ({"label": True}, r"line 2: label True is unknown"),
        ({"label": None}, r"line 2: label None is unknown"),
        ({"label": "x" * 1000}, r"line 2: label 'x{12}\.\.\.x{13}' is unknown"),
        ({"premise": None}, r"line 2: premise is None, expected text"),
        ({"premise": "\ud800"}, r"line 2: premise holds '\\ud800', half of a surrogate pair and no character"),
        ({"hypothesis": "a \udc00 b"}, r"line 2: hypothesis holds '\\udc00'"),
        ({"genre": "\udc00"}, r"line 2: genre holds '\\udc00'"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = write_jsonl(tmp_path / "pairs.jsonl", [PAIRS[0], {**PAIRS[1], **row}])
    with pytest.raises(ConfigurationError, match=message):
        load_items("mnli", path=path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pairs.jsonl", '{"premise": "a"}\n', r"line 1: lacks label or gold_label; it has premise"),
        ("pairs.jsonl", '{"label": 0, "premise": "a"}\n', r"line 1: lacks hypothesis or sentence2"),
        ("pairs.jsonl", '\n{"label": \n', r"line 2: not JSON at line 2, column 11"),
        ("pairs.jsonl", "[1]\n", r"line 1: expected an object"),
        ("pairs.json", "[{},\n{]", r"pairs.json: not JSON at line 2, column 2"),
        ("pairs.jsonl", "\n" + "[" * 100_000, r"line 2: not usable JSON: it is nested too deeply"),
        ("pairs.jsonl", "[" * 500 + "]" * 500, r"line 1: expected an object with named fields, found \[\[\["),
        ("pairs.json", "[" * 100_000, r"pairs.json: not usable JSON: it is nested too deeply"),
        ("pairs.jsonl", '{"label": ' + "1" * 5000 + "}", r"line 1: not usable JSON: .* more than 4300 digits"),
        ("pairs.jsonl", '{"label": ' + "[" * 500 + "]" * 500 + "}", r"line 1: label \[\[.* is unknown"),
        (
            "pairs.tsv",
            "sentence1\tsentence2\tgold_label\na\tb\n",
            r"line 2: has 2 tab-separated cells, its header has 3",
        ),
        ("pairs.tsv", "a\tb\tc\n1\t2\t3\n", r"line 2: lacks label or gold_label; it has a, b, c"),
        ("pairs.csv", "a,b", r"cannot read '.csv' files; allowed: .jsonl, .json, .tsv"),
        ("pairs.jsonl", "", r"pairs.jsonl holds no items"),
    ],
)
def test_a_malformed_file_is_refused_in_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_items("mnli", path=tmp_path / name)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_bytes(b'{"premise": "\xff"}\n')
    with pytest.raises(ConfigurationError, match="not UTF-8 text"):
        load_items("mnli", path=tmp_path / "pairs.jsonl")


def test_a_split_that_a_folder_lacks_is_missing(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", PAIRS)
    with pytest.raises(MissingResourceError, match=r"has no validation_matched.jsonl.*it holds train.jsonl"):
        load_items("mnli", path=tmp_path)
    with pytest.raises(MissingResourceError, match=r"no file or folder .*nowhere"):
        load_items("mnli", path=tmp_path / "nowhere")


@pytest.mark.parametrize("split", ["sample", "sample_train"])
def test_the_samples_load_balanced_enough_to_tell_labels_apart(split: str) -> None:
    assert {item.target for item in load_items("mnli", split=split)} == {0, 1, 2}


def test_offline_without_a_cache_names_the_ways_out(tmp_path: Path) -> None:
    """In a process of its own, because `datasets` reads the place of its cache when it is imported."""
    # `.invalid` never resolves (RFC 2606): the hub is out of reach, and nothing says so beforehand.
    env = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://hub.invalid", "PATH": ""}
    started = time.monotonic()
    answer = load_in_own_process(env)
    assert time.monotonic() - started < 20, "the hub's own retries take 25 s"
    assert answer.startswith("MissingResourceError: mnli validation_matched: ") and "cannot be reached" in answer
    for way in ("--data PATH", "--split sample", "HF_HOME"):
        assert way in answer


def test_a_split_in_the_cache_is_read_without_the_hub(tmp_path: Path) -> None:
    fill_cache(tmp_path / "datasets")
    answer = load_in_own_process({"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://hub.invalid", "PATH": ""})
    assert answer == "3 mnli/validation_matched/2 contradiction"


def load_in_own_process(env: dict[str, str]) -> str:
    program = (
        "from data.common.errors import ProjectError\n"
        "from data.registry import load_items\n"
        "try:\n"
        "    items = load_items('mnli')\n"
        "    print(len(items), items[-1].id, items[-1].choices[items[-1].target])\n"
        "except ProjectError as error:\n"
        "    print(f'{type(error).__name__}: {error}')\n"
    )
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fill_cache(folder: Path) -> None:
    """Lay out what `load_dataset` leaves behind for the pinned revision."""
    import datasets
    from datasets.arrow_writer import ArrowWriter

    features = datasets.Features(
        premise=datasets.Value("string"),
        hypothesis=datasets.Value("string"),
        label=datasets.ClassLabel(names=[*LABELS]),
    )
    split = "validation_matched"
    place = folder / HUB_ID.replace("/", "___") / "mnli" / "0.0.0" / REVISION
    place.mkdir(parents=True)
    with ArrowWriter(features=features, path=str(place / f"glue-{split}.arrow")) as writer:
        for pair in PAIRS:
            writer.write({key: pair[key] for key in features})
        writer.finalize()
    datasets.DatasetInfo(
        features=features,
        builder_name="parquet",
        dataset_name="glue",
        config_name="mnli",
        version="0.0.0",
        splits={split: {"name": split, "num_examples": len(PAIRS), "dataset_name": "glue"}},
    ).write_to_directory(str(place))


@pytest.mark.shared_data
def test_the_real_validation_set_loads(shared_data: Path) -> None:
    items = load_items("mnli", path=shared_data / "mnli")
    counts = [sum(item.target == target for item in items) for target in range(3)]
    assert counts == [3479, 3123, 3213]
    assert load_items("mnli", path=shared_data / "mnli" / "validation_matched.jsonl", limit=5) == items[:5]
