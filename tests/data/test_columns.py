"""What the columns of tables hold that other people have made: published layouts, exports, tables without a header."""

import csv
import io
import json
from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from data.task import open_task
from data.types import Item

N = 24
TEXT, CHOICES = "what is meant by number {n}?", ("gold {n}", "salt {n}", "water {n}", "stone {n}")


def table(path: Path, header: str, rows: list[list[object]]) -> Path:
    stream = io.StringIO()
    writer = csv.writer(stream)
    if header:
        writer.writerow(header.split(","))
    writer.writerows(rows)
    path.write_text(stream.getvalue(), encoding="utf-8")
    return path


def choices(n: int, count: int = 4) -> list[str]:
    return [choice.format(n=n) for choice in CHOICES[:count]]


def items(path: Path, **fields: object) -> dict[str, Item]:
    task = open_task(path, **fields)
    return {item.inputs["question"]: item for item in (*task.load("train", None), *task.load("test", None))}


# Each a header and what follows the question in row n; the right choice is that of number n % 4, or of n % the choices.
LAYOUTS = {
    "MMLU without a header": ("", lambda n: [*choices(n), "ABCD"[n % 4]]),
    "KMMLU": ("question,answer,A,B,C,D,Category", lambda n: [n % 4 + 1, *choices(n), "law"]),
    "circled numbers": ("문제,보기1,보기2,보기3,보기4,정답", lambda n: [*choices(n), "①②③④"[n % 4]]),
    "decimals": ("question,a,b,c,d,answer", lambda n: [*choices(n), float(n % 4)]),
    "answers from 0": ("question,answer0,answer1,answer2,answer3,label", lambda n: [*choices(n), n % 4]),
    "SWAG": ("startphrase,ending0,ending1,ending2,ending3,label", lambda n: [*choices(n), n % 4]),
    "PIQA": ("goal,sol1,sol2,label", lambda n: [*choices(n, 2), n % 2]),
    "Winogrande": ("sentence,option1,option2,answer", lambda n: [*choices(n, 2), n % 2 + 1]),
    "KoBEST HellaSwag": ("context,ending_1,ending_2,ending_3,ending_4,label", lambda n: [*choices(n), n % 4]),
    "a list as JSON": ("question,choices,answer", lambda n: [json.dumps(choices(n)), n % 4]),
    "a list as Python": ("question,choices,answer", lambda n: [repr(choices(n)), n % 4]),
    "a list as NumPy": ("question,choices,answer", lambda n: [f"[{' '.join(map(repr, choices(n)))}]", n % 4]),
    "ARC as NumPy": ("question,choices,answerKey", lambda n: [f"{{'text': array({choices(n)!r}, dtype=object),"
        " 'label': array(['A', 'B', 'C', 'D'], dtype=object)}", "ABCD"[n % 4]]),
    "choices by their letters": ("question,options,answer", lambda n: [
        json.dumps(dict(zip("ABCD", choices(n), strict=True))), "ABCD"[n % 4]]),
    "a list as Python with a line break": ("question,choices,answer", lambda n: [
        repr(choices(n)).replace("gold ", "gold \n"), n % 4]),
    "choices that lines part": ("question,options,answer", lambda n: ["\n".join(choices(n)), choices(n)[n % 4]]),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_needs_no_word(tmp_path: Path, layout: str) -> None:
    header, row = LAYOUTS[layout]
    found = items(table(tmp_path / "a.csv", header, [[TEXT.format(n=n), *row(n)] for n in range(N)]))
    assert len(found) == N
    for n in range(N):
        item = found[TEXT.format(n=n)]
        assert tuple(" ".join(one.split()) for one in item.choices) == tuple(choices(n, len(item.choices)))
        assert item.target == n % len(item.choices)


def test_choices_that_are_numbers_are_told_from_places(tmp_path: Path) -> None:
    rows = [[f"{n} + {n}?", 2 * n, 2 * n + 1, 2 * n + 2, 2 * n] for n in range(N)]
    found = items(table(tmp_path / "a.csv", "question,A,B,C,answer", rows))
    assert all(item.choices[item.target] == str(2 * int(question.split()[0])) for question, item in found.items())
    # Numbers that all fit as places are places, although one row has such a choice.
    rows = [[f"how many {n}?", "none", "2" if n == 1 else "few", "3 or more", n % 3 + 1] for n in range(N)]
    found = items(table(tmp_path / "b.csv", "question,A,B,C,answer", rows))
    assert [found[f"how many {n}?"].target for n in range(N)] == [n % 3 for n in range(N)]


def test_a_premise_is_read_before_its_question_and_one_question_may_have_many_choices(tmp_path: Path) -> None:
    rows = [[f"It rained {n}.", ("cause", "effect")[n % 2], *choices(n, 2), n % 2] for n in range(N)]
    task = open_task(table(tmp_path / "copa.csv", "premise,question,choice1,choice2,label", rows))
    assert {item.inputs["passage"] for item in task.load("test", None)} <= {f"It rained {n}." for n in range(N)}
    rows = [["Which is right?", *choices(n), "ABCD"[n % 4]] for n in range(N)]
    task = open_task(table(tmp_path / "same.csv", "question,A,B,C,D,answer", rows))
    learnt, measured = task.load("train", None), task.load("test", None)
    assert len(learnt) + len(measured) == N and len({item.group for item in (*learnt, *measured)}) == N


def test_an_empty_choice_is_refused_and_fewer_choices_are_not(tmp_path: Path) -> None:
    rows = [[TEXT.format(n=n), *choices(n, 3), "", "ABC"[n % 3]] for n in range(N)]
    found = items(table(tmp_path / "a.csv", "question,A,B,C,D,answer", rows))
    assert {len(item.choices) for item in found.values()} == {3}
    rows[5][2] = ""
    with pytest.raises(ConfigurationError, match=r"line 7: two or more different choices are needed"):
        open_task(table(tmp_path / "b.csv", "question,A,B,C,D,answer", rows))


# Each a header, a row, and the texts and the label that are meant.
CLASSES = {
    "texts a and b": ("a,b,label", ["one text", "another text", "xy"], ("a", "b"), "label"),
    "BoolQ": ("passage,question,label", ["a long text", "is it so", "xy"], ("passage", "question"), "label"),
    "names of classes beside their numbers": ("text,label,label_text", ["a text", "01", "xy"], ("text",), "label_text"),
    "a database": ("id,customer_message,channel,issue_category", ["", "a text of some length", "pq", "xyz"],
        ("customer_message",), "issue_category"),
    "Korean": ("접수번호,문의내용,채널,문의유형", ["", "긴 문의 내용", "pq", "xyz"], ("문의내용",), "문의유형"),
    "plurals": ("comments,labels", ["a text", "xy"], ("comments",), "labels"),
    "two sentences without a header": ("", ["a first text", "a second one", "xy"], ("column1", "column2"), "column3"),
}  # fmt: skip


@pytest.mark.parametrize("form", CLASSES)
def test_texts_and_labels_are_known_by_their_names_or_by_what_they_hold(tmp_path: Path, form: str) -> None:
    header, cells, texts, label = CLASSES[form]
    rows = [[cell[n % len(cell)] if 0 < len(cell) < 4 else f"{cell} {n}" for cell in cells] for n in range(60)]
    card = open_task(table(tmp_path / "a.csv", header, rows)).full_card
    assert (card.text, card.label) == (texts, label)


@pytest.mark.parametrize("names", ["0,1,2,3", "a,b,c,d"])
@pytest.mark.parametrize("labels", ["01", "xy"])
def test_features_with_short_names_are_no_choices(tmp_path: Path, names: str, labels: str) -> None:
    rows = [[f"a text {n}", labels[n % 2], 0.5, n, -n, 7] for n in range(40)]
    task = open_task(table(tmp_path / "a.csv", f"text,label,{names}", rows))
    assert task.labels == tuple(labels) and task.full_card.text == ("text",)


def test_columns_beside_which_no_answer_stands_are_no_choices(tmp_path: Path) -> None:
    rows = [[f"how is {n}?", f"good {n}", f"bad {n}", ("refund", "card")[n % 2]] for n in range(40)]
    task = open_task(table(tmp_path / "a.csv", "question,option1,option2,label", rows))
    assert task.labels == ("card", "refund") and task.full_card.text == ("question",)


def test_two_columns_of_one_name_in_a_prompt_are_refused(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.csv", "my text,my.text,label", [[f"one {n}", f"two {n}", "xy"[n % 2]] for n in range(20)]
    )
    with pytest.raises(ConfigurationError, match="would have one name in a prompt; name them with --text NAME=COLUMN"):
        open_task(path, text=["my text", "my.text"])
    assert open_task(path, text={"one": "my text", "two": "my.text"}).labels == ("x", "y")


def test_a_column_may_be_called_as_what_a_chain_adds_to_an_item(tmp_path: Path) -> None:
    rows = [[f"one {n}", f"two {n}", *choices(n), "ABCD"[n % 4]] for n in range(20)]
    path = table(tmp_path / "a.csv", "question,documents,A,B,C,D,answer", rows)
    (item, *_) = open_task(path, question="question", text=["documents"]).load("test", None)
    assert set(item.inputs) == {"question", "documents_text"}
