"""Cost: known prices are multiplied out, unknown ones stay unknown."""

from pathlib import Path

import pytest

from data.errors import ConfigurationError
from eval.cost import estimate_tokens, price, price_table


def test_tokens_times_price() -> None:
    table = price_table().models["openai:gpt-4o-mini"]
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000_000, "cached_tokens": 500_000}
    assert table.cached_input is not None
    assert price(usage, "openai:gpt-4o-mini") == pytest.approx(
        0.5 * table.input + 0.5 * table.cached_input + table.output
    )


def test_an_unknown_price_is_unknown() -> None:
    assert price({"input_tokens": 1}, "openai:nothing-like-it") is None


def test_the_user_s_own_table_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("as_of: '2026-01-01'\nsource: me\nmodels: {mine: {input: 1, output: 2}}\n")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(path))
    assert price({"input_tokens": 3_000_000, "cached_tokens": 1_000_000}, "mine") == pytest.approx(3)
    path.write_text("as_of: 1\n")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        price({}, "mine")


def test_korean_is_estimated_by_the_syllable() -> None:
    assert estimate_tokens("abcdefgh") == 2
    assert estimate_tokens("가나다라") == 4
