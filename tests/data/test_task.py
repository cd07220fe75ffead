"""A task of one's own: a labelled file or its card becomes a benchmark, or one line says why it cannot."""

import json
from collections import Counter
from pathlib import Path

import pytest

from data.card import card_yaml, is_task, read_card
from data.common.errors import ConfigurationError, MissingResourceError
from data.registry import benchmark
from data.splits import texts_of_item
from data.table import read_tables
from data.task import open_task
from eval.plan.suite import names_suite


def table(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tickets(n: int = 60) -> list[tuple[str, str]]:
    return [(f"message number {number} about money", ("refund", "card", "other")[number % 3]) for number in range(n)]


def test_one_file_is_divided_with_each_label_in_its_share(tmp_path: Path) -> None:
    task = open_task(table(tmp_path / "tickets.csv", tickets()))
    learnt, measured = task.load("train", None), task.load(None, None)
    assert (len(learnt), len(measured)) == (48, 12)
    assert set(Counter(item.target for item in measured).values()) == {4}
    assert task.labels == ("card", "other", "refund") == measured[0].choices
    assert not {texts_of_item(item) for item in learnt} & {texts_of_item(item) for item in measured}
    assert len({item.id for item in [*learnt, *measured]}) == 60
    about = task.BENCHMARK
    assert (about.name, about.default_split, about.train_splits) == ("tickets", "test", {"test": "train"})
    assert any("text: text (--text names others)" in note for note in task.notes)


def test_the_same_text_is_on_one_side_and_groups_stay_whole(tmp_path: Path) -> None:
    rows = [("the same words", "a" if n % 2 else "b") for n in range(10)] + [
        (f"text {n}", "ab"[n % 2]) for n in range(90)
    ]
    task = open_task(table(tmp_path / "a.csv", rows))
    sides = [{texts_of_item(item) for item in task.load(side, None)} for side in ("train", "test")]
    assert not sides[0] & sides[1]
    by_customer = [(f"text {n}", "ab"[n % 2], f"customer {n % 7}") for n in range(70)]
    path = table(tmp_path / "b.csv", by_customer, ("text", "label", "customer"))
    task = open_task(path, test={"share": 0.3, "group": "customer"})
    groups = [{item.group for item in task.load(side, None)} for side in ("train", "test")]
    assert not groups[0] & groups[1] and len(groups[0] | groups[1]) == 7


def test_groups_stay_whole_in_questions_with_choices_and_over_a_card(tmp_path: Path) -> None:
    lines = [f"question {n},x{n},y{n},z{n},{'ABC'[n % 3]},customer {n % 9}" for n in range(90)]
    path = tmp_path / "q.csv"
    path.write_text("question,A,B,C,answer,customer\n" + "\n".join(lines), encoding="utf-8")
    card = tmp_path / "q.yaml"
    card.write_text("train: q.csv\ntest: {share: 0.3, group: customer}\n")
    for task in (open_task(path, test={"share": 0.3, "group": "customer"}), open_task(card, test={"share": 0.2})):
        groups = [{item.group for item in task.load(side, None)} for side in ("train", "test")]
        assert not groups[0] & groups[1] and len(groups[0] | groups[1]) == 9
    with pytest.raises(ConfigurationError, match="unknown column 'custmer'"):
        open_task(path, test={"group": "custmer"})
    (tmp_path / "own").mkdir()
    for name in ("train", "test"):
        (tmp_path / "own" / f"{name}.csv").write_text(path.read_text())
    with pytest.raises(ConfigurationError, match="leave --test and --group out"):
        open_task(tmp_path / "own", test={"group": "customer"})


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my card? I want it back.", "en"),
        ("money back please", "en"),
        ("환불하고 싶어요", "ko"),
        ("カードがまだ届きません", "und"),
        ("Ich möchte mein Geld zurück, für die Überweisung", "und"),
    ],
)
def test_the_language_is_guessed_and_said(tmp_path: Path, text: str, language: str) -> None:
    task = open_task(table(tmp_path / "a.csv", [(f"{text} {n}", "ab"[n % 2]) for n in range(20)]))
    assert task.BENCHMARK.language == language
    assert any(note.startswith(f"language: {language} ") for note in task.notes)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"separator": "comma"}, "separator"),
        ({"encoding": "base64"}, "--encoding base64 is unknown"),
        ({"test": 20}, "share"),
    ],
)
def test_a_field_that_makes_no_sense_is_one_line(tmp_path: Path, fields: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_task(table(tmp_path / "a.csv", tickets()), **fields)


def test_a_tab_may_be_written_as_a_shell_passes_it_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\tlabel\n" + "\n".join(f"a, b {n}\t{'xy'[n % 2]}" for n in range(20)), encoding="utf-8")
    assert open_task(path, separator="\\t").labels == ("x", "y")


def test_what_is_measured_is_not_learnt_from(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", [*tickets(), ("Seen  TWICE", "card")])
    table(tmp_path / "test.csv", [("seen twice", "card"), ("new", "other")])
    task = open_task(tmp_path)
    assert len(task.load("train", None)) == 60 and len(task.load("test", None)) == 2
    assert any("1 items to learn from are also measured" in note for note in task.notes)


def test_fields_keep_their_names_and_may_be_given_others(tmp_path: Path) -> None:
    rows = [(f"s{n}", f"b{n}", "xy"[n % 2]) for n in range(20)]
    path = table(tmp_path / "mail.csv", rows, ("Subject", "Body", "Department"))
    assert set(open_task(path).load("train", None)[0].inputs) == {"Subject", "Body"}
    task = open_task(path, text={"premise": "Subject", "hypothesis": "Body"}, label="Department")
    assert set(task.load("train", None)[0].inputs) == {"premise", "hypothesis"}
    task = open_task(path, text=["Body"])
    assert set(task.load("train", None)[0].inputs) == {"Body"}


def test_spellings_of_a_label_are_one_and_said(tmp_path: Path) -> None:
    rows = [("a", "2"), ("b", "2   "), ("c", "1"), ("d", "Refund"), ("e", "refund"), ("f", "refund"), ("g", "10")]
    task = open_task(table(tmp_path / "a.csv", [(f"{text}{n}", label) for n in range(5) for text, label in rows]))
    assert task.labels == ("1", "2", "10", "refund")
    assert any("'Refund' as 'refund'" in note for note in task.notes)


def test_a_card_says_it_all_and_is_written_as_it_was_read(tmp_path: Path) -> None:
    table(tmp_path / "rows.csv", [(f"t{n}", ("refunds", "card")[n % 2], "x") for n in range(20)], ("q", "kind", "z"))
    card = tmp_path / "tickets.yaml"
    card.write_text(
        "train: rows.csv\ntest: {share: 0.5}\ntext: q\nlabel: kind\n"
        "labels: {refund: {means: wants money back, also: [refunds]}, card: lost it}\nlanguage: en\n"
    )
    task = open_task(card)
    assert task.labels == ("refund", "card") and len(task.load("test", None)) == 10
    assert task.card.name == "tickets" and task.card.labels["card"].means == "lost it"
    (tmp_path / "again.yaml").write_text(card_yaml(task.card))
    assert read_card(tmp_path / "again.yaml") == task.card


CHOICES = ("gold", "salt", "water")
QUESTION_FORMS = {
    "columns": ("a.csv", "question,A,B,C,answer\nWhat is Au?,gold,salt,water,A\nWhat is H2O?,salt,gold,water,C\n"),
    "numbers": ("b.csv", "question,answer,A,B,C\nWhat is Au?,1,gold,salt,water\nWhat is H2O?,3,salt,gold,water\n"),
    "texts": ("c.json", json.dumps([
        {"question": "What is Au?", "choices": list(CHOICES), "answer": "gold", "paragraph": "A metal."},
        {"question": "What is H2O?", "choices": ["salt", "gold", "water"], "answer": "water", "paragraph": "Wet."},
    ])),
    "arc": ("d.jsonl", "\n".join(json.dumps({"question": {"stem": stem, "choices": [
        {"text": text, "label": name} for text, name in zip(choices, "ABC", strict=True)]}, "answerKey": key})
        for stem, choices, key in [("What is Au?", CHOICES, "A"), ("What is H2O?", ("salt", "gold", "water"), "C")])),
    "arc of the hub": ("e.jsonl", "\n".join(json.dumps({"question": stem, "choices": {"text": list(choices),
        "label": ["1", "2", "3"]}, "answerKey": key})
        for stem, choices, key in [("What is Au?", CHOICES, "1"), ("What is H2O?", ("salt", "gold", "water"), "3")])),
    "hellaswag": ("f.jsonl", "\n".join(json.dumps({"ctx": stem, "endings": list(choices), "label": key})
        for stem, choices, key in [("What is Au?", CHOICES, "0"), ("What is H2O?", ("salt", "gold", "water"), "2")])),
}  # fmt: skip


@pytest.mark.parametrize("form", QUESTION_FORMS)
def test_questions_with_choices_of_any_layout(tmp_path: Path, form: str) -> None:
    name, text = QUESTION_FORMS[form]
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "t.csv").write_text("question,A,B,C,answer\nWhat is Fe?,iron,ice,air,A\n", encoding="utf-8")
    task = open_task(tmp_path / name, test={"share": 0.5})
    items = [*task.load("train", None), *task.load("test", None)]
    right = {item.inputs["question"]: item.choices[item.target] for item in items}
    assert right == {"What is Au?": "gold", "What is H2O?": "water"}
    assert task.labels is None and task.kind == "multiple-choice"
    assert ("passage" in items[0].inputs) == (form == "texts")


@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        ("text,label\na,x\nb,x\n", {}, "every row has the label 'x'"),
        ("text,label\na,x\nb,\n", {}, "the label in column 'label' is empty"),
        ("text,label\na,x\n ,y\n", {}, "line 3: text is ' ', expected a text"),
        ("text,label\na,x\nb,y\n", {"label": "lable"}, "unknown column 'lable'. Did you mean 'label'"),
        ("text,label\na,x\nb,y\n", {"text": ["txt"]}, "unknown column 'txt'. Did you mean 'text'"),
        ("text,label\na,x\nb,y\nc,x;y\nd,x\n", {}, "several labels in one cell"),
        ("text,label\na,x\nb,y\n", {"labels": ["x", "z"]}, "is not among the card's labels: x, z"),
        ("question,A,B,answer\nq,a,b,1\nr,c,d,1\n", {}, "may count from 0 or from 1; say --answers-from"),
        ("question,A,B,answer\nq,a,a,A\n", {}, "two or more different choices"),
        ("question,A,B,answer\nq,a,b,C\n", {}, "answer 'C' is none of its 2 choices"),
    ],
)
def test_what_cannot_be_a_task_is_one_line(tmp_path: Path, text: str, fields: dict, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        open_task(path, **fields)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_how_many_rows_cannot_be_used_is_said_with_the_first(tmp_path: Path) -> None:
    rows = [("" if n % 10 == 3 else f"text {n}", "xy"[n % 2]) for n in range(40)]
    with pytest.raises(ConfigurationError, match=r"a.csv, line 5: text is '', .*; 3 more rows cannot be used either$"):
        open_task(table(tmp_path / "a.csv", rows))


def test_too_many_labels_a_new_label_and_a_missing_file(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [(f"text {n} is long", f"v{n}") for n in range(100)])
    with pytest.raises(ConfigurationError, match="has 100 values in 100 rows, too many to be labels"):
        open_task(path, label="label")
    table(tmp_path / "train.csv", tickets())
    table(tmp_path / "test.csv", [("what", "unheard")])
    with pytest.raises(ConfigurationError, match="'unheard' of 1 items to measure is none of the 3 labels"):
        open_task(tmp_path)
    with pytest.raises(MissingResourceError, match="there is no file or folder"):
        open_task(tmp_path / "nowhere.csv")


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "n_labels", "n_test"),
    [("banking77", 77, 3080), ("clinc150/data_small.json", 151, 5500), ("3i4k", 7, 6121)],
)
def test_published_sets_are_read_as_they_are(shared_data: Path, name: str, n_labels: int, n_test: int) -> None:
    task = open_task(shared_data / "own" / name)
    assert task.labels is not None and len(task.labels) == n_labels
    assert len(task.load("test", None)) == n_test


def test_a_share_of_splits_is_refused_and_splits_that_are_not_read_are_named(tmp_path: Path) -> None:
    splits = {name: [[f"{name} {n}", "ab"[n % 2]] for n in range(9)] for name in ("train", "val", "test")}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    task = open_task(tmp_path / "splits.json")
    assert "of its splits, these are not read: val" in task.notes and len(task.load("test", None)) == 9
    card = tmp_path / "splits.yaml"
    card.write_text("train: splits.json\ntest: 0.3\n")
    with pytest.raises(ConfigurationError, match="has its own rows to measure, and a share"):
        open_task(card)


def test_a_card_that_was_edited_is_read_again(tmp_path: Path) -> None:
    table(tmp_path / "rows.csv", [(f"t{n}", "xy"[n % 2], "zw"[n % 2]) for n in range(20)], ("text", "one", "two"))
    card = tmp_path / "mine.yaml"
    card.write_text("train: rows.csv\nlabel: one\n")
    assert benchmark(str(card)).labels == ("x", "y")
    card.write_text("train: rows.csv\nlabel: two   # another\n")
    assert benchmark(str(card)).labels == ("w", "z")


def test_a_file_that_changes_while_it_is_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "rows.csv", tickets())

    def read(file: Path, **options):
        tables = read_tables(file, **options)
        file.write_text(file.read_text() + "one more,card\n")
        return tables

    monkeypatch.setattr("data.task_tables.read_tables", read)
    with pytest.raises(ConfigurationError, match="was changed while it was read"):
        open_task(path)


@pytest.mark.parametrize(("error", "words"), [(PermissionError(13, "Permission denied"), "cannot read .*: Permission"),
                                             (FileNotFoundError(2, "gone"), "there is no file")])  # fmt: skip
def test_a_file_that_is_locked_or_gone_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    """The tests may run as a user whom no permission stops, so the system's answer is put in its place."""
    path = table(tmp_path / "rows.csv", tickets())

    def refused(_: Path) -> None:
        raise error

    monkeypatch.setattr("data.delimited.open_bytes", refused)
    with pytest.raises(MissingResourceError, match=words):
        open_task(path)


def test_a_kind_of_file_that_is_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.xls").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match=r"old.xls: cannot read '.xls' files; allowed: .csv, "):
        names_suite(str(tmp_path / "old.xls"))


def test_a_folder_of_tables_is_a_task_under_its_plain_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own", "package", "papers", "mnli", "demo"):
        (tmp_path / name).mkdir()
        table(tmp_path / name / ("notes.csv" if name == "papers" else "train.csv"), tickets())
    (tmp_path / "package" / "__init__.py").touch()
    assert [name for name in ("own", "package", "papers") if is_task(name)] == ["own"]
    assert is_task("./papers") and len(benchmark("own").labels or ()) == 3
    assert benchmark("mnli").labels == ("entailment", "neutral", "contradiction")
    assert names_suite("demo") and not names_suite("own") and not names_suite("./demo")
