"""Reports in Korean: every sentence has its translation with the same placeholders, and no English one is left."""

import re
from string import Formatter

import pytest

from data.common.language import ENGLISH, catalogue, catalogue_files, language
from data.common.parsing import read_yaml
from data.common.table import display_width
from eval.cli.parser import main
from eval.measures.costs import break_evens, system_cost
from eval.measures.differences import compare
from eval.measures.metrics import STATUSES
from eval.measures.power import reach_sentence
from eval.measures.prices import PriceTable
from eval.measures.run_answers import answers_of, read_answers
from eval.report import write_report
from eval.report.figures import from_queries
from eval.report.render.terminal import WIDTH, comparison_text, terminal_table
from eval.report.sections.costs import cost_table, pair_sentences
from eval.report.summary import summarize
from eval.rundir.description import TrainingFacts
from tests.support.described import described
from tests.support.journaled_runs import answer, failure, pair_item, write_demo, write_run
from tests.support.spoken import spoken

FILES = {path: read_yaml(path, kind="catalogue").content for path in catalogue_files()}
ENTRIES = [entry for entries in FILES.values() for entry in entries]


def placeholders(text):
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def test_every_sentence_that_is_said_has_its_korean():
    missing = {text: places for text, places in spoken().items() if text not in catalogue()}
    assert not missing


def test_no_translation_is_left_without_its_sentence():
    said = spoken()
    assert not [entry["en"] for entry in ENTRIES if not entry.get("carried") and entry["en"] not in said]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["en"][:40])
def test_both_languages_have_the_same_placeholders(entry):
    assert placeholders(entry["en"]) == placeholders(entry["ko"])


def test_no_sentence_is_translated_twice():
    english = [entry["en"] for entry in ENTRIES]
    assert len(english) == len(set(english))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_the_korean_of_a_sentence_stands_in_a_folder_that_says_it(path):
    said = spoken()
    elsewhere = {
        entry["en"]: said[entry["en"]]
        for entry in FILES[path]
        if entry["en"] in said and not any(place.is_relative_to(path.parent) for place in said[entry["en"]])
    }
    assert not elsewhere


def test_a_sentence_without_its_korean_is_an_error_and_never_english():
    with pytest.raises(ValueError, match="no sentence for: Nobody said this"):
        language("ko")("Nobody said this")
    with pytest.raises(ValueError, match="no language 'fr'"):
        language("fr")


def test_what_was_written_in_english_is_said_again_and_names_stay():
    say = language("ko")
    assert say.again("training: no price for the machine 4 × CPU") == "학습: 장비 4 × CPU의 가격 정보가 없음"
    assert say.again("rag") == "rag"
    assert ENGLISH.again("not timed") == "not timed"


def test_several_reasons_are_each_said_and_none_is_left_in_english():
    """Training's price and its labels can be unknown together; a label's name stays what it is."""
    answers = answers_of([answer(pair_item(0), "s", 0)])
    api = {"kind": "chain", "model": {"spec": "openai:m", "kind": "api"}}
    table = PriceTable(source="a list", as_of="2026-01-01", labels_usd=0.1)
    costs = {
        "tuned": system_cost(
            described({"kind": "checkpoint"}), answers, hardware=None, training=TrainingFacts(n=None), table=table
        ),
        "api": system_cost(described(api), answers, hardware=None, training=None, table=table),
    }
    assert costs["tuned"].training.notes == ("the machine is not noted", "how many items were labelled is not noted")
    (said,) = pair_sentences(
        break_evens(costs), costs, accuracies=dict.fromkeys(costs), comparisons=[], say=language("ko")
    )
    assert "tuned: 학습: 장비가 기록되지 않음, tuned: 학습: 레이블링한 문항 수가 기록되지 않음" in said
    note = cost_table(costs, language("ko")).note
    for text in (said, note.split("가격 출처")[0]):
        assert not english_words(text, {"tuned", "api", "API"}), text


def test_exchanged_labels_are_said_in_korean(tmp_path):
    items = [pair_item(number) for number in range(60)]
    systems = {"encoder": lambda item: answer(item, "encoder", (item.target + 1) % 3)}
    described = {"encoder": {"kind": "checkpoint", "checkpoint": "c"}}
    run = write_run(tmp_path / "run", [("mnli", items, systems)], descriptions=described)
    (said,) = [one for one in summarize(run, lang="ko").conclusion if "레이블 이름이" in one]
    assert "60개 문항의 정확도는 현재 레이블 이름으로는 0.0%" in said
    assert "entailment → neutral" in said or "neutral → entailment" in said
    assert not english_words(said, {"encoder", "entailment", "neutral", "contradiction"}), said


def test_an_answer_s_status_is_not_the_none_of_a_cost():
    say = language("ko")
    assert (say.status("none"), say("none"), ENGLISH.status("none")) == ("답 없음", "없음", "none")
    assert all(re.search("[가-힣]", say.status(status)) for status in STATUSES)


def test_a_break_even_that_is_never_reached_is_a_sentence_of_its_own():
    assert from_queries(1e13, language("ko")) == "질의 1조 건을 넘어야"
    assert from_queries(1e13) == "from over a trillion queries on"
    assert from_queries(0.5, language("ko")) == "첫 질의부터"
    assert from_queries(1234.1, language("ko")) == "질의 1,235건부터"


def test_values_are_never_taken_for_templates():
    assert ENGLISH("{system} failed on {failed}", system="{failed}", failed=3) == "{failed} failed on 3"


def english_words(text, allowed):
    words = set(re.findall(r"[A-Za-z][a-z]{2,}", text))
    return words - set(allowed)


def test_the_conclusions_of_a_korean_report_hold_no_english(tmp_path):
    def cut_short(item):
        return failure(item, "half") if item.id.endswith("0") else answer(item, "half", None)

    systems = {"half": cut_short, "absent": lambda item: None}
    run = write_run(tmp_path / "run", [("mnli", [pair_item(number) for number in range(30)], systems)])
    names = {"half", "absent", "mnli", "kice", "always", "closed", "book", "rag", "majority", "tuned", "oracle", "Holm"}
    for folder in (run, write_demo(tmp_path / "demo")):
        summary = summarize(folder, lang="ko")
        assert summary.lang == "ko"
        assert len(summary.conclusion) == len(summarize(folder).conclusion) > 3
        for sentence in summary.conclusion:
            assert re.search("[가-힣]", sentence)
            assert not english_words(sentence, names), sentence


def test_a_korean_report_says_in_korean_what_the_english_one_says(tmp_path):
    run = write_demo(tmp_path / "run")
    paths = write_report(run, lang="ko")
    written = paths.markdown.read_text(encoding="utf-8")
    assert "rag 시스템은 always-3 시스템보다 정확도가 65.0%p 높다" in written
    assert "### 같은 문항에서의 시스템 간 차이" in written
    assert "| 시스템 | 구성 | 정확도, 95% 신뢰구간 |" in written
    assert '<html lang="ko">' in paths.html.read_text(encoding="utf-8")
    assert "신뢰구간" in terminal_table(summarize(run, lang="ko"))


def test_the_korean_terminal_report_fits_100_columns(tmp_path):
    run = write_demo(tmp_path / "run")
    shown = (
        terminal_table(summarize(run, lang="ko"))
        + "\n"
        + comparison_text(compare(read_answers(run)), say=language("ko"))
    )
    assert max(map(display_width, shown.splitlines())) <= WIDTH


def test_the_command_line_speaks_korean(tmp_path, capsys):
    run = write_demo(tmp_path / "run")
    assert main(["report", str(run), "--lang", "ko"]) == 0
    assert "구별되지 않는다" in capsys.readouterr().out
    assert main(["compare", str(run), "--lang", "ko"]) == 0
    assert "시스템만 맞힌 문항" in capsys.readouterr().out


def test_what_a_benchmark_can_show_is_said_in_korean():
    said = reach_sentence(45, n_groups=11, n_systems=3, say=language("ko"))
    assert said.startswith("45개 문항으로는 실제 차이가 약")
    assert not english_words(said, {"Holm"})
