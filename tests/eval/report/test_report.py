import base64
import gzip
import hashlib
import json
import re

import numpy as np
import pytest

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.table import display_width, fit
from data.common.text import plain
from data.types import Message
from eval.cli.parser import main
from eval.measures.classification import classification_report
from eval.measures.run_answers import read_answers
from eval.report import write_report
from eval.report.figures import dollars
from eval.report.links import Link, linked_parts
from eval.report.render import html, items
from eval.report.render.markdown import escape, render_markdown
from eval.report.render.terminal import WIDTH, terminal_table, wrap
from eval.report.sections.all_sections import evaluation_tables
from eval.report.sections.scores import score_tables, what_it_is
from eval.report.sections.tags import tag_tables
from eval.report.show import show_item, show_item_json
from eval.report.summary import Summary, summarize
from eval.rundir.journal import records_path
from eval.rundir.manifest import read_manifest
from tests.support.folders import GOLDEN_FOLDER
from tests.support.journaled_runs import (
    LABELS,
    answer,
    exam_item,
    failure,
    pair_item,
    right_where,
    write_demo,
    write_run,
)
from tests.support.report_page import unpacked

GOLDEN = GOLDEN_FOLDER / "report"
HOSTILE = "<script>alert(1)</script> {{7*7}} | a`b`\n\x1b[31mred\x00 \u202egnp"


@pytest.fixture
def demo(tmp_path):
    return write_demo(tmp_path / "run")


@pytest.fixture
def hostile(tmp_path):
    """Every text that comes from data, a model or a suite tries to be markup."""
    item = exam_item(1).model_copy(
        update={
            "inputs": {"passage": HOSTILE, "question": HOSTILE},
            "choices": tuple(f"{HOSTILE}{n}" for n in range(5)),
            "tags": (HOSTILE,),
        }
    )
    items = [item, exam_item(2).model_copy(update={"inputs": {"premise": HOSTILE}, "tags": (HOSTILE,)})]
    items = [
        type(item).model_validate(item.model_dump()) for item in items
    ]  # a copy alone would skip the texts' one form

    def respond(item):
        record = answer(item, "s", 0, rule=HOSTILE, raw=HOSTILE)
        return record.model_copy(update={"messages": (Message(role="user", content=HOSTILE),)})

    def fail(item):
        return failure(item, "f").model_copy(update={"error": HOSTILE})

    description = {"s": {"kind": "chain", "chain": HOSTILE, "note": HOSTILE}, "f": {"kind": "baseline"}}
    return write_run(
        tmp_path / "hostile", [("kice", items, {"s": respond, "f": fail})], descriptions=description, name=HOSTILE
    )


def golden_parts(summary):
    """What the Markdown report shows, a part for each kind of table, by the name of its golden file."""
    title, *parts = render_markdown(summary).split("\n### ")
    provenance = parts[-1].split("\n## ", 1)
    parts[-1] = provenance[0]
    yield "conclusion", title
    yield "provenance", "## " + provenance[1]
    kinds = [table.kind for evaluation in summary.evaluations for table in evaluation_tables(evaluation)]
    for kind in dict.fromkeys(kinds):
        own = ["### " + part for part, own_kind in zip(parts, kinds, strict=True) if own_kind == kind]
        yield kind, "\n".join(part.split("\n## ")[0].rstrip() + "\n" for part in own)


def test_every_part_of_the_markdown_report_is_the_golden_one(demo, update_golden):
    written = dict(golden_parts(summarize(demo)))
    if update_golden:
        GOLDEN.mkdir(exist_ok=True)
        for name, text in written.items():
            (GOLDEN / f"{name}.md").write_text(text, encoding="utf-8")
    assert written.keys() == {path.stem for path in GOLDEN.iterdir()}
    for name, text in written.items():
        golden = (GOLDEN / f"{name}.md").read_text(encoding="utf-8")
        assert text == golden, f"{name}: if this change is meant: pytest --update-golden"


def test_the_parts_of_the_report_are_in_their_order(demo):
    report = write_report(demo).markdown.read_text(encoding="utf-8")
    titles = [line[4:] for line in report.splitlines() if line.startswith("### ")]
    assert titles[:12] == [
        "Scores",
        "Paired differences",
        "Why answers with retrieval are right or wrong",
        "How passages were found for these questions",
        "Cost",
        "Predictions beside the key",
        "Positions chosen",
        "Right answers by section and kind of question",
        "How answers were read",
        "Rules that read the answers",
        "Constant answers",
        "Settings",
    ]
    assert titles[12:20] == [
        *titles[:2],
        *titles[4:6],
        "Confusion matrix of majority",
        "Confusion matrix of tuned",
        "Probabilities",
        "Right answers by genre",
    ]
    assert titles[20:] == titles[8:12]


def test_the_same_records_give_the_same_bytes(demo, tmp_path):
    first = [path.read_bytes() for path in write_report(demo)]
    again = [path.read_bytes() for path in write_report(demo)]
    elsewhere = [path.read_bytes() for path in write_report(write_demo(tmp_path / "elsewhere"))]
    assert first == again == elsewhere


def test_the_summary_is_json_with_every_figure(demo):
    content = json.loads(write_report(demo).summary.read_text(encoding="utf-8"))
    rag = content["evaluations"][0]["systems"][2]
    assert (rag["name"], rag["scores"]["correct"], rag["missing"]) == ("rag", 17, 0)
    assert content["evaluations"][1]["systems"][1]["scores"]["roc_auc"] == pytest.approx(0.85)
    assert content["complete"] is True


def test_the_conclusion_claims_what_the_tests_support(demo):
    summary = summarize(demo)
    assert summary.conclusion[0].startswith("On these 20 items of kice, rag is right more often than always-3")
    assert "always-3 and closed-book are not distinguishable from guessing (20.0%)." in summary.conclusion
    claimed = [one for evaluation in summary.evaluations for one in evaluation.comparisons if one.distinguishable]
    assert len(claimed) == 3


def test_equal_systems_are_not_called_different(tmp_path):
    items = [exam_item(number) for number in range(1, 21)]
    systems = {
        name: lambda item, kept=kept: answer(item, "s", right_where(item, int(item.id[-2:]) % 2 == kept))
        for name, kept in (("odd", 1), ("even", 0))
    }
    summary = summarize(write_run(tmp_path / "run", [("kice", items, systems)]))
    assert "even and odd are not distinguishable" in summary.conclusion[0]
    assert "may be chance" in summary.conclusion[0]
    assert any("even a true difference of 30 percentage points would be missed" in s for s in summary.conclusion)


def test_a_run_cut_short_says_what_is_missing(tmp_path):
    items = [pair_item(number) for number in range(10)]

    def half(item):
        number = int(item.id.rsplit("/", 1)[1])
        return None if number > 6 else failure(item, "half") if number == 0 else answer(item, "half", 0)

    run = write_run(tmp_path / "run", [("mnli", items, {"half": half, "absent": lambda item: None})])
    records_path(run, "absent").unlink()
    summary = summarize(run)
    assert not summary.complete
    assert summary.conclusion[0].startswith("mnli is incomplete: half failed on 1 and has no record for 3 of 10 items")
    assert summary.conclusion[1].startswith("mnli is incomplete: absent has no record for any of 10 items")
    half_summary, absent = summary.evaluations[0].systems
    assert half_summary.scores.complete is False
    assert absent.scores is None
    for text in (render_markdown(summary), html.render_html(summary, read_answers(run)), terminal_table(summary)):
        assert "no record for 10" in text
        assert "incomplete" in text


def test_a_system_whose_every_call_failed_is_drawn_without_a_score(tmp_path):
    items = [pair_item(number) for number in range(3)]
    run = write_run(tmp_path / "run", [("mnli", items, {"broken": lambda item: failure(item, "broken")})])
    paths = write_report(run)
    assert "| broken | baseline | –, incomplete |" in paths.markdown.read_text(encoding="utf-8")


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(MissingResourceError, match="is not a run"):
        write_report(tmp_path)


def test_hostile_texts_stay_texts_in_html(hostile):
    page = write_report(hostile).html.read_text(encoding="utf-8")
    assert len(re.findall("<script", page)) == page.count("</script>") == 2 + 2  # an index and a chunk; ours
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)", "", page)
    assert "{{7*7}}" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", page)


def test_the_page_needs_nothing_from_elsewhere(demo):
    page = write_report(demo).html.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', page) == ["data:,"]
    assert "url(" not in page
    assert " style=" not in page  # the policy would refuse it
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.findall(r"script-src ([^;]*)", policy) == [f"'sha256-{digest}'"]


def test_the_page_holds_every_item_with_all_that_was_sent_and_said(demo):
    page = write_report(demo).html.read_text(encoding="utf-8")
    index, items = unpacked(page, "index-1"), unpacked(page, "chunk-1-0")
    assert len(items) == len(index["ids"]) == 20
    at = index["ids"].index("kice/made-up/q07")
    assert items[at]["inputs"]["question"] == "윗글의 내용과 일치하지 않는 것은? (7)"
    rag = items[at]["records"]["rag"]
    assert rag["messages"][0]["content"] == "국어 시험" and rag["passages"][0]["chunk_id"] == "kice/made-up/p2#0"
    shown = show_item_json(demo, "kice/made-up/q07")["records"]
    assert rag["prediction"]["raw"] == shown["rag"]["prediction"]["raw"]
    by_system = {one["name"]: one["choices"][at] for one in index["systems"]}
    assert by_system == {name: -1 if one["prediction"]["choice"] is None else one["prediction"]["choice"]
                         for name, one in shown.items()}  # fmt: skip


def test_a_page_without_texts_holds_no_text_of_an_item_and_the_same_outcomes(demo, capsys):
    whole = write_report(demo).html.read_text(encoding="utf-8")
    assert main(["report", str(demo), "--no-texts"]) == 0
    page = (demo / "report.html").read_text(encoding="utf-8")
    bare, full = unpacked(page, "index-1"), unpacked(whole, "index-1")
    assert {**bare, "heads": []} == {**full, "heads": []} and not any(bare["heads"])
    kept = json.dumps([unpacked(page, "chunk-1-0"), unpacked(page, "chunk-2-0")], ensure_ascii=False)
    for text in ("윗글", "지문이다", "선택지 3", "국어 시험", "잘 모르겠습니다", "boats"):
        assert text not in kept and text in json.dumps([unpacked(whole, "chunk-1-0"), unpacked(whole, "chunk-2-0")],
                                                       ensure_ascii=False)  # fmt: skip


def test_items_beyond_the_page_stand_in_its_index_alone_and_are_counted(demo, monkeypatch):
    monkeypatch.setattr(items, "CHUNK", 8)
    answers, evaluation = read_answers(demo).evaluations[0], summarize(demo).evaluations[0]
    blocks = items.item_blocks(demo, evaluation, answers, usd=dict.fromkeys(answers), room=1)
    assert (len(blocks.chunks), blocks.short) == (1, 12)
    index, first = (json.loads(gzip.decompress(base64.b64decode(one))) for one in (blocks.columns, blocks.chunks[0]))
    assert (len(index["ids"]), len(index["heads"]), len(first)) == (20, 8, 8)
    assert all(len(system["choices"]) == 20 for system in index["systems"])


def test_a_cell_is_linked_in_its_order_and_a_figure_that_is_not_there_is_refused():
    links = (Link("1", "won"), Link("1", "lost"))
    assert list(linked_parts("1 / 1 / 31", links)) == [("1", "won"), (" / ", ""), ("1", "lost"), (" / 31", "")]
    with pytest.raises(ValueError, match="no '2'"):
        list(linked_parts("1 / 1", (Link("2", ""),)))


def test_hostile_texts_stay_texts_in_markdown_and_terminal(hostile):
    written = write_report(hostile).markdown.read_text(encoding="utf-8")
    assert "<script" not in written
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert rows
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows[:4]}) == 1  # no cell opens a column
    shown = terminal_table(summarize(hostile)) + show_item(hostile, "kice/made-up/q01")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", shown)


def test_markdown_escapes():
    assert escape("a|b\n<c> `d` [e](f) \\") == r"a\|b &lt;c&gt; \`d\` \[e\](f) \\"


def test_the_terminal_table_fits_100_columns_with_korean_names(tmp_path):
    items = [exam_item(number) for number in range(1, 21)]
    name = "아주-긴-이름의-시스템-" * 6
    run = write_run(tmp_path / "run", [("kice", items, {name: lambda item: answer(item, name, 0)})])
    lines = terminal_table(summarize(run)).splitlines()
    assert max(map(display_width, lines)) <= WIDTH
    assert "…" not in "".join(lines[:6])


def test_korean_letters_take_two_columns():
    assert display_width("국어 a") == 6
    assert fit("국어", 6) == "국어  "
    assert fit("국어 영역", 6) == "국어 …"
    assert fit("9", 3, right=True) == "  9"


def test_a_word_longer_than_a_line_is_broken_and_nothing_is_lost():
    for word in ("…" * 250, "가" * 130):
        lines = wrap(f"a {word} b", indent="  ").splitlines()
        assert max(map(display_width, lines)) <= WIDTH
        assert "".join(line.strip() for line in lines) in (f"a{word} b", f"a{word}b")


def test_plain_drops_what_moves_a_cursor():
    assert plain("a\x1b[2Jb\r\n\u202ec\td") == "a[2Jb\nc\td"
    assert plain("a\n b\t c", one_line=True) == "a b c"


def test_show_has_everything_on_one_item(demo):
    shown = show_item(demo, "kice/made-up/q07")
    for part in (
        "윗글의 내용과 일치하지 않는 것은? (7)",
        "* 3. 7번 문항의 선택지 3",
        "always-3: right, chose 3.",
        "closed-book: no answer, which counts as wrong",
        "잘 모르겠습니다.",
        "[passage kice/made-up/p2#0, score 1.5]",
        "[system]\n국어 시험",
        "retrieved: kice/made-up/p2#0",
    ):
        assert part in shown
    assert "probabilities: 1: 0.100, 2: 0.800, 3: 0.100" in show_item(demo, "mnli/made-up/1")


def test_show_of_an_unknown_item_names_near_ones(demo):
    with pytest.raises(ConfigurationError) as caught:
        show_item(demo, "kice/made-up/q7")
    assert "kice/made-up/q07" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_show_finds_an_item_by_the_last_part_of_its_id_and_by_no_less(demo):
    assert show_item(demo, "q07") == show_item(demo, "kice/made-up/q07")
    with pytest.raises(ConfigurationError, match="unknown item '07'"):
        show_item(demo, "07")


def test_what_a_system_is_in_words(demo):
    described = {name: what_it_is(description) for name, description in read_manifest(demo).systems.items()}
    assert described == {
        "always-3": "baseline always-3",
        "closed-book": "chain kice-closed-book · openai:made-up-model · prompt kice/minimal",
        "rag": "chain kice-rag · smollm2 · prompt kice/minimal · hybrid, k = 4",
        "majority": "baseline majority",
        "tuned": "finetune · all-MiniLM-L6-v2",
    }


def test_small_prices_keep_two_digits():
    assert [dollars(usd) for usd in (None, 0.0, 12.5, 0.0123, 0.0000682, -0.004)] == [
        "price unknown", "$0.00", "$12.50", "$0.012", "$0.000068", "−$0.0040",
    ]  # fmt: skip


def test_a_written_summary_reads_back_as_it_was(demo):
    assert Summary.model_validate_json(write_report(demo).summary.read_text(encoding="utf-8")) == summarize(demo)


def test_too_few_groups_of_context_are_said(tmp_path):
    def summarized(n_items, name):
        items = [exam_item(number) for number in range(1, n_items + 1)]  # four items a passage
        systems = {"s": lambda item: answer(item, "s", right_where(item, int(item.id[-2:]) % 3 == 0))}
        return summarize(write_run(tmp_path / name, [("kice", items, systems)]))

    few = summarized(20, "few")
    assert any("share only 5 groups of context: the intervals of accuracy" in sentence for sentence in few.conclusion)
    assert not any("groups of context" in sentence for sentence in summarized(40, "enough").conclusion)
    one = summarized(4, "one")
    assert "All items share one context, so no interval can be given." in one.conclusion
    assert one.evaluations[0].systems[0].accuracy_interval is None


def test_sections_have_their_points_with_intervals_and_genres_their_accuracy(demo):
    exam, pairs = summarize(demo).evaluations
    rag = next(system for system in exam.systems if system.name == "rag")
    one, interval = rag.scores.by_tag["section:독서"], rag.tag_intervals["section:독서"]
    assert interval.low < one.points / one.points_possible < interval.high
    written = {row[0]: row[-1] for row in tag_tables(exam)[0].rows}
    ends = f"{interval.low * one.points_possible:.1f}–{interval.high * one.points_possible:.1f}"
    assert written["section:독서"] == f"{one.correct}/{one.n} · {one.points:g} of {one.points_possible:g} ({ends})"
    tuned = next(system for system in pairs.systems if system.name == "tuned")
    genre, low_high = tuned.scores.by_tag["genre:fiction"], tuned.tag_intervals["genre:fiction"]
    (row,) = (row for row in tag_tables(pairs)[0].rows if row[0] == "genre:fiction")
    assert row[-1] == (
        f"{genre.correct}/{genre.n} · {100 * genre.accuracy:.1f}% ({100 * low_high.low:.1f}–{100 * low_high.high:.1f})"
    )


def test_the_area_under_the_roc_curve_has_the_interval_that_a_checkpoint_s_card_gives(tmp_path):
    rng, items = np.random.default_rng(4), [pair_item(number) for number in range(60)]
    probs = rng.dirichlet(np.ones(3), 60)
    by_id = {item.id: row for item, row in zip(items, probs, strict=True)}

    def respond(item):
        row = by_id[item.id]
        return answer(item, "encoder", int(row.argmax()), probs=tuple(map(float, row)))

    (evaluation,) = summarize(write_run(tmp_path / "run", [("mnli", items, {"encoder": respond})])).evaluations
    report = classification_report(items, probs, labels=LABELS)
    (system,) = evaluation.systems
    assert list(system.roc_auc_interval) == report["intervals"]["roc_auc"]
    low, high = system.roc_auc_interval
    cell = f"{report['roc_auc']:.3f} ({low:.3f}–{high:.3f})"
    assert cell in score_tables(evaluation)[0].rows[0]
