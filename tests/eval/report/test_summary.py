"""Of several benchmarks, those that decide something come first, in every form of the report."""

from eval.report import write_report
from eval.report.render.terminal import terminal_table
from eval.report.summary import read_summary
from tests.support.journaled_runs import answer, exam_item, pair_item, right_where, write_run

NAMES = ["kice", "mnli"]


def test_what_decides_nothing_stands_behind_what_decides_something(tmp_path):
    def right_below(name, limit):
        return lambda item: answer(item, name, right_where(item, int(item.id.rsplit("/", 1)[1].strip("q")) < limit))

    exam, pairs = [exam_item(number) for number in range(1, 21)], [pair_item(number) for number in range(60)]
    run = write_run(
        tmp_path / "run",
        [
            ("kice", exam, {"a": right_below("a", 0), "b": right_below("b", 2)}),
            ("mnli", pairs, {"c": right_below("c", 20), "d": right_below("d", 55)}),
        ],
    )
    paths = write_report(run)
    summary = read_summary(paths.summary)
    assert [one.benchmark for one in summary.evaluations] == NAMES  # for programs, in the order of the suite
    assert [number for number, _ in summary.most_decisive_first] == [2, 1]
    markdown, page = paths.markdown.read_text(encoding="utf-8"), paths.html.read_text(encoding="utf-8")
    for text, marks in (
        (markdown, ["Verdict on mnli", "Verdict on kice", "## mnli", "## kice"]),
        (page, ['id="benchmark-2"', 'id="benchmark-1"']),
        (terminal_table(summary), ["mnli, made-up", "kice, made-up", "Verdict on mnli", "Verdict on kice"]),
    ):
        assert [text.index(mark) for mark in marks] == sorted(text.index(mark) for mark in marks)
    assert "take none" in markdown
