"""The report of a run that ended early: what is decided, what was not asked, and no figure of another kind."""

import json
import re
from pathlib import Path

import pytest

from data.common.language import ENGLISH
from data.common.table import display_width
from data.types import Item, Record
from eval.cli.parser import main
from eval.measures.sequential import Drawn
from eval.report import write_report
from eval.report.render.markdown import render_markdown
from eval.report.render.terminal import WIDTH, terminal_table
from eval.report.sections.all_sections import evaluation_tables
from eval.report.sections.early_end import early_end_sentences
from eval.report.summary import Summary, summarize
from eval.rundir.manifest import read_manifest, write_manifest
from tests.support.folders import GOLDEN_FOLDER
from tests.support.journaled_runs import answer, pair_item, right_where, write_run

ITEMS = [pair_item(number) for number in range(300)]
DESCRIBED: dict[str, dict[str, object]] = {
    "gpt": {"kind": "chain", "model": {"spec": "openai:made-up"}},
    "twin": {"kind": "chain", "model": {"spec": "openai:made-up"}},
    "tuned": {"kind": "finetune"},
    "weak": {"kind": "chain", "model": {"spec": "openai:gpt-4o-mini"}},
}
WRONG = {"gpt": (10,), "twin": (10,), "tuned": (7,), "weak": (2, 3, 5)}  # on the items whose number these divide
STOPPED = 60  # items after which the weak one was asked no more


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of four systems, of which one ended early."""
    order = Drawn(7, 1, 0.05).order(item.group for item in ITEMS)
    kept = set(order[:STOPPED])

    def system(name: str, item: Item) -> Record | None:
        if name == "weak" and item.group not in kept:
            return None
        number = int(item.id.rsplit("/", 1)[1])
        usage = {"input_tokens": 10, "output_tokens": 1}
        return answer(item, name, right_where(item, all(number % one for one in WRONG[name])), usage=usage)

    systems = {name: lambda item, name=name: system(name, item) for name in WRONG}
    run = write_run(tmp_path / "run", [("mnli", ITEMS, systems)], descriptions=DESCRIBED)
    manifest = read_manifest(run)
    evaluations = tuple(one.model_copy(update={"largest_group": 1}) for one in manifest.evaluations)
    suite = manifest.suite | {"margin": 5.0, "until_decided": True}
    write_manifest(run, manifest.model_copy(update={"evaluations": evaluations, "suite": suite}))
    return run


def test_the_report_says_what_is_decided_and_what_was_saved(run_dir: Path, update_golden: bool) -> None:
    summary = summarize(run_dir)
    kinds = [table.kind for one in summary.evaluations for table in evaluation_tables(one)]
    _, *tables = render_markdown(summary).split("\n### ")
    own = [table for kind, table in zip(kinds, tables, strict=False) if kind in ("anytime-differences", "early-end")]
    said = [f"- {sentence}" for one in summary.evaluations for sentence in early_end_sentences(one, ENGLISH)]
    written = "\n### ".join(["\n".join(said), *own]) + "\n"
    golden = GOLDEN_FOLDER / "early-end.md"
    if update_golden:
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8"), "if this change is meant: pytest --update-golden"
    (evaluation,) = summary.evaluations
    decided = {(one.a, one.b): one.decided for one in evaluation.comparisons}
    assert decided["twin", "gpt"] == "equal" and decided["weak", "gpt"] == "b" and decided["tuned", "gpt"] is None
    assert summary.complete and evaluation.early_end is not None
    assert evaluation.early_end.unfinished == ()


def test_no_figure_of_a_fixed_number_of_items_stands_beside(run_dir: Path) -> None:
    (evaluation,) = summarize(run_dir).evaluations
    for system in evaluation.systems:
        assert system.accuracy_interval is not None
        assert system.macro_f1_interval is system.points_interval is system.positions is None
        assert set(system.tag_intervals.values()) == {None}
    shown = write_report(run_dir).markdown.read_text(encoding="utf-8")
    for words in ("McNemar", "Wilson", "bootstrap", "Holm", "would be missed"):
        assert words not in shown
    assert "at any time" in shown


def test_it_speaks_korean_and_fits_the_terminal(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = summarize(run_dir, lang="ko")
    assert len(summary.conclusion) == len(summarize(run_dir).conclusion)
    names = {*WRONG, "mnli", "openai", "made"}
    for sentence in summary.conclusion:
        assert not set(re.findall("[A-Za-z][a-z]{2,}", sentence)) - names, sentence
    for one in (summary, summarize(run_dir)):
        assert max(map(display_width, terminal_table(one).splitlines())) <= WIDTH
    assert main(["compare", str(run_dir)]) == 0
    printed = capsys.readouterr().out
    assert "95%, any time" in printed and "McNemar" not in printed
    assert max(map(display_width, printed.splitlines())) <= WIDTH


def test_a_summary_is_read_back(run_dir: Path) -> None:
    written = write_report(run_dir).summary.read_text(encoding="utf-8")
    assert Summary.model_validate_json(written).evaluations[0].early_end is not None
    assert json.loads(written)["evaluations"][0]["comparisons"][0]["at_any_time"] is True


def test_a_larger_group_than_the_manifest_says_is_no_crash(run_dir: Path) -> None:
    """Somebody may have edited it."""
    manifest = read_manifest(run_dir)
    together = {"suite": manifest.suite | {"margin": 100.0}}
    write_manifest(run_dir, manifest.model_copy(update=together))
    assert {one.decided for one in summarize(run_dir).evaluations[0].comparisons} <= {"equal", "a", "b"}
