"""The table of every answer: what a row says, that it can be read back exactly, and that no cell of it calculates."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.common.table import emit_csv, guarded
from data.common.text import plain
from data.types import Item, Record, Trial
from eval.cli.parser import main
from eval.measures.metrics import score
from eval.measures.run_answers import read_answers
from eval.rundir.journal import Journal, records_path
from tests.support.journaled_runs import answer, exam_item, failure, pair_item, write_demo, write_run
from tests.support.priced_runs import priced_run, toy_prices

EXACT = """\
run,benchmark,split,system,item_id,group,tags,weight,target_number,target_text,choice_number,choice_text,correct,status,\
rule,error,latency_s,input_tokens,output_tokens,cache_hits,usd,likelier_text,probs,raw,input.passage,input.question,\
input.extra
RUN,kice,made-up,rag,kice/made-up/q03,kice/made-up/p1,section:독서|negative,3.0,4,3번 문항의 선택지 4,4,\
3번 문항의 선택지 4,1,ok,final-answer,,0.25,120,8,0,,,"[0.1, 0.1, 0.2, 0.5, 0.1]","그러므로 ""4번"",
정답: 4",1번째 지문이다. 사람들은 오래전부터 별을 보며 길을 찾았다.,윗글의 내용과 일치하지 않는 것은? (3),
RUN,kice,made-up,rag,kice/made-up/q04,kice/made-up/p1,section:독서,2.0,5,4번 문항의 선택지 5,,,0,none,,,0.25,,,0,,,,\
'- 모르겠다,1번째 지문이다. 사람들은 오래전부터 별을 보며 길을 찾았다.,윗글의 내용과 일치하지 않는 것은? (4),
RUN,kice,made-up,rag,kice/made-up/q05,kice/made-up/p2,section:문학,3.0,1,5번 문항의 선택지 1,,,,,,\
RateLimitError: too many requests,1.0,,,0,,,,,2번째 지문이다. 사람들은 오래전부터 별을 보며 길을 찾았다.,\
윗글의 내용과 일치하지 않는 것은? (5),<보기> 별은 움직이지 않는다.
"""


def said(item: Item) -> Record:
    if item.id.endswith("5"):
        return failure(item, "rag")
    if item.id.endswith("4"):
        return answer(item, "rag", None, raw="- 모르겠다")
    usage, probs = {"input_tokens": 120, "output_tokens": 8}, (0.1, 0.1, 0.2, 0.5, 0.1)
    raw = '그러므로 "4번",\r\n정답: \x1b4\x07'
    return answer(item, "rag", 3, rule="final-answer", raw=raw, usage=usage, probs=probs)


def small_run(folder: Path) -> Path:
    return write_run(folder, [("kice", [exam_item(number) for number in (3, 4, 5)], {"rag": said})])


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["report", *map(str, arguments), "--format", "csv"]) == 0
    return capsys.readouterr().out


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_table_is_exactly_this(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = small_run(tmp_path / "run")
    assert printed(capsys, run) == EXACT.replace("RUN", str(run))
    assert {path.name for path in run.iterdir()} == {"manifest.json", "rag"}  # no report is written


def test_rows_without_texts_can_be_shared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed_rows = printed(capsys, small_run(tmp_path / "run"), "--no-texts")
    rows = table(printed_rows)
    assert [row["choice_number"] for row in rows] == ["4", "", ""] and not any(row["raw"] for row in rows)
    assert "지문" not in printed_rows and "input.passage" not in rows[0]


def test_rows_of_several_runs_say_what_the_scores_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = write_demo(tmp_path / "one"), small_run(tmp_path / "two")
    rows = table(printed(capsys, one, two))
    assert len(rows) == 3 * 20 + 2 * 60 + 3
    assert list(dict.fromkeys(row["run"] for row in rows)) == [str(one), str(two)]
    shown = [row for row in rows if row["system"] == "closed-book"]
    assert [row["item_id"] for row in shown] == [exam_item(number).id for number in range(1, 21)]
    right = {f"kice/made-up/q{n:02}" for n in (2, 3, 6, 9, 10, 18)}
    assert {row["item_id"] for row in shown if row["correct"] == "1"} == right
    assert all((row["choice_number"] == row["target_number"]) == (row["correct"] == "1") for row in shown)
    points = sum(float(row["weight"]) for row in shown if row["correct"] == "1")
    assert points == score(read_answers(one).evaluations[0]["closed-book"]).points


def test_pandas_reads_numbers_texts_and_probabilities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(io.StringIO(printed(capsys, write_demo(tmp_path / "run"))))
    tuned = frame[frame.system == "tuned"]
    assert tuned.correct.mean() == 0.8
    assert tuned.probs.map(pandas.io.json.ujson_loads).map(max).eq(0.8).all()
    assert (tuned.target_text == tuned.target_number.map(dict(enumerate(pair_item(0).choices, start=1)))).all()
    assert frame.tags.str.get_dummies().columns.tolist() == [
        "genre:fiction", "genre:travel", "negative", "section:독서", "section:문학",
    ]  # fmt: skip


def test_a_row_costs_what_the_report_says_of_its_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))
    rows = table(printed(capsys, priced_run(tmp_path / "run")))
    costs = {row["system"]: float(row["usd"]) for row in rows}
    assert costs["prompted"] == pytest.approx((100 * 1 + 10 * 2) / 1e6)
    assert costs["majority"] == costs["tuned"] == pytest.approx(0.25 / 3600 * 2 * 0.36)


def test_the_last_record_of_an_item_counts_and_a_missing_one_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [pair_item(number) for number in range(4)]
    responses = {"s": lambda item: failure(item, "s") if item is not items[3] else None}
    run = write_run(tmp_path / "run", [("mnli", items, responses)])
    asks = tuple(Trial(order=(0, 1, 2), choice=2, status="ok", raw=raw) for raw in ("=1", "참\n2"))
    with Journal(records_path(run, "s")) as journal:
        journal.append(answer(items[1], "s", 2, asks=asks))
    assert main(["report", str(run), "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    rows = table(out)
    assert {row["item_id"]: row["correct"] for row in rows} == {items[0].id: "", items[2].id: "", items[1].id: "0"}
    assert rows[2]["raw"] == '["=1", "참\\n2"]'
    assert "s has records of 3 of 4 items" in err


def test_a_folder_that_is_no_run_prints_no_half_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = small_run(tmp_path / "run")
    assert main(["report", str(run), str(tmp_path / "none"), "--format", "csv"]) == 3
    out, err = capsys.readouterr()
    assert out == "" and "is not a run" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'=1"),  # a carriage return is no character of a row
        ("\nab", "'\nab"),
        ("\x1b\x00=1", "'=1"),
        (" \u3000=1", "' \u3000=1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠A1", "'＠A1"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
        ("-0.5", "-0.5"),
        ("+3", "+3"),
        ("-3\n", "'-3\n"),
        ("정답: 3", "정답: 3"),
        ("", ""),
    ],
)
def test_a_text_never_calculates(text: str, cell: str) -> None:
    assert guarded(text) == cell


FORMULA = r"\A'(?=[\t\n]|'*[\s\u200b\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫−])"
DANGER = st.text(st.sampled_from("=+-@＝＋－＠−﹣\t\r\n' \u30001a.,;\"\x1b|") | st.characters())


@given(st.lists(st.tuples(DANGER, DANGER), min_size=1))
def test_every_text_can_be_had_back_and_numbers_stay_numbers(rows: list[tuple[str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdout", written := io.StringIO(newline=""))
        emit_csv([(*row, -1.5, 7, None) for row in rows])
    read = list(csv.reader(io.StringIO(written.getvalue(), newline="")))
    assert [row[2:] for row in read] == [["-1.5", "7", ""]] * len(rows)
    for texts, cells in zip(rows, read, strict=True):
        for text, cell in zip(texts, cells, strict=False):
            assert re.sub(FORMULA, "", cell) == plain(text)
            assert not re.match(r"[=+\-@＝＋－＠\t\r]", cell) or re.fullmatch(r"[+-]?\d+(\.\d+)?", cell)


def test_output_is_utf_8_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(written := io.BytesIO(), encoding="ascii", newline="\r\n")
    monkeypatch.setattr("sys.stdout", terminal)
    emit_csv([("독서", 1)])
    terminal.flush()
    assert written.getvalue() == "독서,1\n".encode()
