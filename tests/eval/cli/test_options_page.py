"""Settings are declared once: flags, suites' keys and docs/options.md agree with the same rows."""

from typing import Any, get_args

import pytest

from chains.predictor import Answering as AnsweringOfChains
from data.card import Share, TaskCard
from data.card_options import TASK
from data.common.options import Option, help_of
from eval.cli.options_page import options_page
from eval.cli.parser import parser
from eval.measures.sequential import MARGIN
from eval.measures.verdict import QUERIES
from eval.plan.settings.call_policy import CallPolicy
from eval.plan.settings.options import BATCHES, CALLS, ITEMS, SYSTEM, VERDICT, Answering
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from tests.support.folders import ROOT


def test_the_page_holds_what_is_declared(update_golden: bool) -> None:
    page = ROOT / "docs" / "options.md"
    if update_golden:
        page.write_text(options_page(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == options_page()


@pytest.mark.parametrize(
    ("model", "options", "apart"),
    [(SystemSpec, SYSTEM, {"runnable"}), (EvaluationSpec, ITEMS, {"benchmark", "systems", "card", "crossed"})],
)
def test_every_setting_of_a_suite_is_declared_with_its_default(
    model: Any, options: tuple[Option, ...], apart: set[str]
) -> None:
    fields = {name: field for name, field in model.model_fields.items() if name not in apart}
    assert {option.name for option in options} == fields.keys()
    for option in options:
        field = fields[option.name]
        if option.name not in ("name", "request"):
            assert option.default == field.default
        literals = {one for part in (field.annotation, *get_args(field.annotation)) for one in get_args(part)}
        assert set(option.choices) == {one for one in literals if isinstance(one, str)}


def test_every_field_of_a_card_has_a_flag_but_its_file_and_its_name() -> None:
    assert {option.name for option in TASK} - {"group"} == TaskCard.model_fields.keys() - {"name", "train"}
    assert "group" in Share.model_fields


def test_what_a_verdict_depends_on_is_a_key_of_the_suite() -> None:
    assert {option.name for option in VERDICT} <= Suite.model_fields.keys()
    assert f"default: {MARGIN:g}" in VERDICT[0].about and f"default: {QUERIES:,.0f}" in VERDICT[1].about


def test_every_field_of_a_call_s_policy_is_declared_with_its_default() -> None:
    apart = {"cache", "first_wait_s"}
    assert {option.name: option.default for option in (*CALLS, *BATCHES)} == {
        name: value for name, value in CallPolicy._field_defaults.items() if name not in apart
    }


def test_the_ways_of_answering_are_those_of_the_chains() -> None:
    assert get_args(Answering) == get_args(AnsweringOfChains)


def test_every_flag_is_read_and_says_what_it_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        parser().parse_args(["run", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{option.spelt} " in shown for option in (*SYSTEM, *ITEMS, *CALLS, *BATCHES) if option.spelt)
    assert all(help_of(option) in shown for option in (*SYSTEM, *ITEMS, *CALLS, *BATCHES) if option.spelt)
    options = parser().parse_args(["run", "kice", "-k", "3", "--too-long", "error", "--max-cost", "1.5"])
    assert (options.k, options.too_long, options.max_cost, options.skip_bad_rows) == (3, "error", 1.5, None)
