"""Cost: known prices are multiplied out, unknown ones stay unknown."""

from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from eval.measures.prices import PriceTable, estimate_tokens, price, price_table


def test_tokens_times_price() -> None:
    table = price_table().models["openai:gpt-4o-mini"]
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000_000, "cached_tokens": 500_000}
    assert table.cached_input is not None
    assert price(usage, "openai:gpt-4o-mini") == pytest.approx(
        0.5 * table.input + 0.5 * table.cached_input + table.output
    )


def test_an_unknown_price_is_unknown() -> None:
    assert price({"input_tokens": 1, "output_tokens": 1}, "openai:nothing-like-it") is None


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 7}, {"output_tokens": 7}])
def test_without_both_token_counts_the_price_is_unknown(usage: dict[str, int]) -> None:
    assert price(usage, "openai:gpt-4o-mini") is None


def test_what_a_price_is_of_is_cited_with_its_source() -> None:
    machine = {"match": "Toy", "per": "cpu", "usd_per_hour": 1, "name": "toy.large", "source": "there"}
    table = PriceTable.model_validate({"as_of": "2026-01-01", "source": "here", "machines": [machine]})
    assert table.cited(table.machines[0]) == "toy.large: there (2026-01-01)"
    assert table.cited() == "here (2026-01-01)"


def test_the_user_s_own_table_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("as_of: '2026-01-01'\nsource: me\nmodels: {mine: {input: 1, output: 2}}\n")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(path))
    assert price({"input_tokens": 3_000_000, "cached_tokens": 1_000_000, "output_tokens": 0}, "mine") == pytest.approx(
        3
    )
    path.write_text("as_of: 1\n")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        price({}, "mine")


def test_korean_is_estimated_by_the_syllable() -> None:
    assert estimate_tokens("abcdefgh") == 2
    assert estimate_tokens("가나다라") == 4
