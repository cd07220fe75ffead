"""Tab-separated files are read as their writers meant them: quoted cells, GLUE's bare ones, SNLI's more annotators."""

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from data.common.errors import ConfigurationError
from data.common.text import normalised
from data.registry import load_items
from data.rows import read_rows, rows_and_faults
from eval.cli.parser import main

HEAD = ["premise", "hypothesis", "label"]
SNLI = ["index", "captionID", "pairID", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse"]
SNLI += ["sentence2_parse", "sentence1", "sentence2", "label1"]


def write(path: Path, rows: list[list[str]], *, quoting: Any = None) -> Path:
    """Write rows apart by tabs, as Python's csv module quotes them, or as they are."""
    if quoting is None:
        path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t", quoting=quoting, lineterminator="\r\n").writerows(rows)
    return path


def pairs(path: Path) -> list[tuple[str, str]]:
    return [(item.inputs["premise"], item.inputs["hypothesis"]) for item in load_items("mnli", path=path)]


def test_quoted_cells_and_line_breaks_in_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(
        'premise\thypothesis\tlabel\r\n"A man says\r\n""no"".\t(twice)"\tA man speaks.\tentailment\r\n\r\n'
        'It rains.\t"""Dry""?"\tcontradiction\r\n',
        encoding="utf-8",
    )
    assert pairs(path) == [('A man says\n"no".\t(twice)', "A man speaks."), ("It rains.", '"Dry"?')]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.text('a" ,\t\n\r가', max_size=6)] * 2), min_size=1, max_size=5))
def test_what_a_csv_writer_quotes_is_read_back(tmp_path: Path, quoting: int, texts: list[tuple[str, str]]) -> None:
    path = write(tmp_path / "x.tsv", [HEAD, *([*pair, "neutral"] for pair in texts)], quoting=quoting)
    assert [(row["premise"], row["hypothesis"]) for _, row in read_rows(path)] == texts


def test_what_pandas_and_excel_write_is_read_back(tmp_path: Path) -> None:
    texts = ['a "quoted" word', "two\nlines", "a\ttab", "plain", "with, comma"]
    frame = pd.DataFrame({"premise": texts, "hypothesis": texts[::-1], "label": 0})
    frame.to_csv(tmp_path / "pandas.tsv", sep="\t", index=False)
    assert pairs(tmp_path / "pandas.tsv") == list(zip(texts, texts[::-1], strict=True))
    # Excel quotes a cell for its comma; nothing else in this file is quoted, and no comma is bare.
    write(tmp_path / "excel.tsv", [HEAD, ['"First, this."', "b", "0"], ["c", '"d, e"', "1"]])
    assert pairs(tmp_path / "excel.tsv") == [("First, this.", "b"), ("c", "d, e")]
    # Quotes around every cell of a column are no part of the texts.
    write(tmp_path / "column.tsv", [HEAD, ['"a b"', "c", "0"], ['"d"', "e", "1"]])
    assert pairs(tmp_path / "column.tsv") == [("a b", "c"), ("d", "e")]


@pytest.mark.parametrize(
    "rows",
    [
        [['He said "no', 'and "yes".', "neutral"]],
        [['"Yes."', "He agreed, quickly.", "neutral"], ["It rains.", "It is wet.", "entailment"]],
        [['"All men have blind spots.', "a", "neutral"], ["b, c", 'One never knows."', "neutral"]],
        [['"If you knew.', 'You would not joke."', "neutral"]],
    ],
)
def test_quotation_marks_that_are_part_of_the_text_stay(tmp_path: Path, rows: list[list[str]]) -> None:
    assert pairs(write(tmp_path / "glue.tsv", [HEAD, *rows])) == [(row[0], row[1]) for row in rows]


@pytest.mark.shared_data
@pytest.mark.parametrize("quoting", [None, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_real_pairs_are_read_back_from_files_of_any_size(shared_data: Path, tmp_path: Path, quoting: Any) -> None:
    lines = (shared_data / "mnli" / "validation_matched.jsonl").read_text(encoding="utf-8").splitlines()
    real = [json.loads(line) for line in lines]
    rows = [[row["premise"], row["hypothesis"], str(row["label"])] for row in real]
    for size in (5, 50, len(rows)):
        for start in range(0, len(rows), size if size > 5 else 500):
            some = rows[start : start + size]
            path = write(tmp_path / "x.tsv", [HEAD, *some], quoting=quoting)
            assert pairs(path) == [(normalised(row[0]), normalised(row[1])) for row in some]


def snli(sentence1: str, sentence2: str, *labels: str) -> list[str]:
    return ["1", "4705552913.jpg#2", "4705552913.jpg#2r1n", "(", "(", "(ROOT", "(ROOT", sentence1, sentence2, *labels]


def test_glue_s_snli_has_rows_of_one_annotator_and_of_five(tmp_path: Path) -> None:
    rows = [
        snli("A man sleeps.", "A man rests.", "neutral", "entailment"),
        snli("A man sleeps.", "A man is up.", *["contradiction", "contradiction", "neutral", "", "-"], "contradiction"),
        snli("It rains.", "It is wet.", *["neutral", "entailment", "neutral", "entailment", "contradiction"], "-"),
    ]
    path = write(tmp_path / "train.tsv", [[*SNLI, "gold_label"], *rows])
    items = load_items("mnli", split="train", path=tmp_path)
    assert [(item.inputs["hypothesis"], item.choices[item.target]) for item in items] == [
        ("A man rests.", "entailment"),
        ("A man is up.", "contradiction"),
    ]
    dev = [[*SNLI, *(f"label{n}" for n in range(2, 6)), "gold_label"], rows[1]]
    write(tmp_path / "dev.tsv", dev)
    assert load_items("mnli", path=tmp_path / "dev.tsv")[0].target == 2
    # A stray tab shifts the sentences: no cell of a further annotator says what an annotator can say.
    write(path, [[*SNLI, "gold_label"], snli("A man", "sleeps.", "A man rests.", "neutral", "neutral")])
    with pytest.raises(ConfigurationError, match="line 2: has 12 tab-separated cells, its header has 11"):
        load_items("mnli", path=path)


def test_a_column_that_the_header_names_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", [[*HEAD, "label"], ["a", "b", "0", "1"]])
    with pytest.raises(ConfigurationError, match=r"x.tsv, line 1: two columns are named 'label'; rename one"):
        load_items("mnli", path=path)


def test_quotes_that_are_text_are_named_where_a_row_does_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", [HEAD, ["two", "b", "c", "0"], ['5" pipe', "b", "0"]])
    said = r"line 2: has 4 tab-separated cells, its header has 3 \(quotes are read as text, for those in line 3"
    with pytest.raises(ConfigurationError, match=said):
        load_items("mnli", path=path)


LINES = ['"Two\nlines."', "b", "0"]  # the first cell needs its quotes


@pytest.mark.parametrize(
    ("row", "read"),
    [
        (['5" pipe', "b", "0"], ('5" pipe', "b")),
        (["a", '"', "0"], None),
        (["a", '6"', "0"], ("a", '6"')),
        (['"Never closed.', "b", "0"], None),
        (['"A "loose" word."', "b", "0"], None),
        (['5" pipe', '"of\nsteel"', "0"], ('5" pipe', "of\nsteel")),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_stray_quote_costs_no_other_row(
    tmp_path: Path, row: list[str], read: tuple[str, str] | None, before: bool
) -> None:
    others = [LINES, ["c", '"two\nmore"', "1"], ["d", "e", "2"]]
    rows = [row, *others] if before else [*others, row]
    path = write(tmp_path / "x.tsv", [HEAD, *rows])
    found = {
        (item.inputs["premise"], item.inputs["hypothesis"])
        for item in load_items("mnli", path=path, skip_bad_rows=True)
    }
    assert found == {("Two\nlines.", "b"), ("c", "two\nmore"), ("d", "e"), *([read] if read else [])}
    if read is None:
        with pytest.raises(ConfigurationError, match=f"line {2 if before else 7}: a cell starts with a quotation mark"):
            load_items("mnli", path=path)


@pytest.mark.parametrize(
    ("text", "n_left_out"),
    [
        ('"Two 5" pipes\nof steel"\tb\t0\n', 2),  # a mark within is not doubled
        ('"Two\n5" pipes\nof steel"\tb\t0\n', 3),
        ('"Never\nclosed.\t"b"\t0\n', 2),
        ('"Never\nclosed.\tb\t0\n', 2),  # the line below may be a row, or the rest of this one
        ('"Of one\tb\t0\ns\tt\t1\nor three"\tx\t2\n', 3),  # one row, or three
    ],
)
def test_half_a_row_is_never_taken_for_a_whole_one(
    tmp_path: Path, text: str, n_left_out: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "x.tsv", [HEAD, LINES])
    path.write_text(path.read_text(encoding="utf-8") + text + "d\te\t2\n" + '5" pipe\tf\t1\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"x.tsv, line 4: "):
        load_items("mnli", path=path)
    items = load_items("mnli", path=path, skip_bad_rows=True)
    assert [item.inputs["premise"] for item in items] == ["Two\nlines.", "d", '5" pipe']
    assert f"left out {n_left_out} malformed rows, first {path}, line 4: " in capsys.readouterr().err


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.text('a" ,\n가', max_size=6)] * 2), min_size=1, max_size=5), st.data())
def test_what_is_rightly_quoted_is_read_beside_a_stray_quote(
    tmp_path: Path, texts: list[tuple[str, str]], data: st.DataObject
) -> None:
    path = write(
        tmp_path / "x.tsv", [HEAD, ["two\nlines", "x", "0"], *([*pair, "0"] for pair in texts)], quoting=csv.QUOTE_ALL
    )
    text = path.read_text(encoding="utf-8")
    stray = data.draw(st.sampled_from(['5" pipe\tb\t0\n', '"Open.\tb\t0\n', 'a "b" c\td\t0\n']))
    path.write_text(text + stray, encoding="utf-8", newline="")
    rows = [row for _, row in rows_and_faults(path) if isinstance(row, dict)]
    found = [(row["premise"].replace("\r", ""), row["hypothesis"].replace("\r", "")) for row in rows]
    assert found[: len(texts) + 1] == [("two\nlines", "x"), *texts]


BAD = [HEAD, ["a", "b", "0"], ["c", "d", "e", "1"], ["f", "g", "maybe"], ["h", "i", "2"], ["j", "k", "-"]]


def test_bad_rows_are_refused_or_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "pairs.tsv", BAD)
    with pytest.raises(ConfigurationError, match=r"line 3: has 4 tab.*header has 3; mend it, or .*--skip-bad-rows"):
        load_items("mnli", path=path)
    items = load_items("mnli", path=path, skip_bad_rows=True)
    assert [(item.id, item.target) for item in items] == [("mnli/pairs/0", 0), ("mnli/pairs/3", 2)]
    said = capsys.readouterr().err
    assert f"left out 2 malformed rows, first {path}, line 3: has 4 tab-separated cells, its header has 3\n" in said
    assert "left out 1 pairs without a gold label" in said


def test_bad_lines_of_json_are_left_out_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = {"premise": "a", "hypothesis": "b", "label": 0}
    lines = [json.dumps(good), "{", "[]", json.dumps({**good, "premise": None}), json.dumps({"label": 1})]
    (tmp_path / "pairs.jsonl").write_text("\n".join([*lines, lines[0]]), encoding="utf-8")
    items = load_items("mnli", path=tmp_path / "pairs.jsonl", skip_bad_rows=True)
    assert [item.id for item in items] == ["mnli/pairs/0", "mnli/pairs/5"]
    assert "left out 4 malformed rows, first" in capsys.readouterr().err
    (tmp_path / "pairs.jsonl").write_text("{\n[", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"line 1: not JSON .*no row is left without the 2 that are malformed"):
        load_items("mnli", path=tmp_path / "pairs.jsonl", skip_bad_rows=True)


def test_a_benchmark_without_rows_skips_none() -> None:
    with pytest.raises(ConfigurationError, match="'kice' leaves out no malformed rows"):
        load_items("kice", split="sample", skip_bad_rows=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text("ab,", max_size=3), min_size=3, max_size=3), min_size=1, max_size=4), st.data())
def test_a_stray_tab_never_shifts_a_row_in_silence(tmp_path: Path, rows: list[list[str]], data: st.DataObject) -> None:
    assume(all(any(row) for row in rows))
    row = data.draw(st.integers(0, len(rows) - 1))
    cell = data.draw(st.integers(0, 2))
    rows[row][cell] += "\t"
    path = write(tmp_path / "x.tsv", [HEAD, *rows])
    with pytest.raises(ConfigurationError, match=f"line {row + 2}: has 4 tab-separated cells"):
        list(read_rows(path))


@pytest.mark.parametrize("command", ["run", "import", "dry-run", "suite", "train"])
def test_every_command_that_reads_items_can_leave_bad_rows_out(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "pairs.tsv", BAD)
    replies = tmp_path / "replies.jsonl"
    replies.write_text(json.dumps({"id": "mnli/pairs/3", "output": "contradiction"}), encoding="utf-8")
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        f"name: s\nevaluations:\n- {{benchmark: mnli, data: {path}, skip_bad_rows: true, "
        "systems: [{name: a, baseline: always-1}]}\n"
    )
    run = ["run", "mnli", "--data", str(path), "--baseline", "always-1"]
    out = ["--out", str(tmp_path / "run")]
    commands = {
        "run": [*run, "--skip-bad-rows", *out],
        "dry-run": [*run, "--skip-bad-rows", "--dry-run"],
        "import": ["import", str(replies), "--benchmark", "mnli", "--data", str(path), "--skip-bad-rows", *out],
        "suite": ["run", str(suite), *out],
    }
    if command == "train":
        from finetune.__main__ import main as finetune

        assert finetune(["eda", "--model", "minilm", "--data", str(path), "--skip-bad-rows"]) == 0
    else:
        assert main(commands[command]) == 0
    assert "left out 2 malformed rows" in capsys.readouterr().err
    assert main([*run, *out[:1], str(tmp_path / "other")]) == 2
    assert "--skip-bad-rows" in capsys.readouterr().err
