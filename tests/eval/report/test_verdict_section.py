"""The verdict in words: each kind of it, in both languages, names the choice, the doubt and the price."""

from types import SimpleNamespace
from typing import Any

import pytest

from data.common.language import language
from eval.measures.stats import Interval
from eval.measures.verdict import Verdict
from eval.report.sections.verdict import verdict_sentences

FACTS: dict[str, Any] = {
    "usd": {"gpt": 12.0, "tuned": 0.5, "mine": None},
    "accuracies": {"gpt": 0.91, "tuned": 0.905, "mine": 0.9},
    "constant": 0.4,
    "margin": 0.02,
    "queries": 100_000,
}
CONTRAST: dict[str, Any] = {"difference": -0.005, "interval": Interval(-0.012, 0.002), "either_right": 0.97}
KINDS: dict[str, dict[str, Any]] = {
    "leader": {"choice": "gpt", "leader": "gpt", "other": "tuned", "is_real": True, **CONTRAST},
    "leader, not told apart": {"choice": "tuned", "leader": "tuned", "other": "gpt", **CONTRAST},
    "cheaper": {"choice": "tuned", "leader": "gpt", "other": "gpt", "same_at": 41_234.0, **CONTRAST},
    "open": {"leader": "gpt", "other": "tuned", "more_items": 1200, **CONTRAST},
    "only": {"choice": "gpt", "leader": "gpt", "out": ("tuned", "mine")},
    "none": {"out": ("gpt", "tuned", "mine")},
}
SAID = {
    "leader": ["take gpt, with 91.0% right", "ahead of the next, tuned, beyond chance"],
    "leader, not told apart": ["take tuned", "no proof that the two are equal"],
    "cheaper": ["take tuned", "at most 2 points worse (−0.5", "41,234 queries a month", "at best 97.0%"],
    "open": ["cannot be told yet. gpt leads", "about 1,200 more items would tell"],
    "only": ["take gpt", "nothing else is shown to be better"],
    "none": ["take none"],
}


def said_of(name: str, lang: str = "en", **more: Any) -> str:
    verdict = Verdict(**{"kind": name.split(",")[0], **FACTS, **KINDS[name], **more})
    evaluation: Any = SimpleNamespace(
        verdict=verdict, benchmark="tickets", n_items=400, systems=(), early_end=None, cascades=()
    )
    return " ".join(verdict_sentences(evaluation, language(lang)))


@pytest.mark.parametrize("name", KINDS)
def test_a_verdict_says_what_to_take_and_why(name: str) -> None:
    said = said_of(name)
    assert said.startswith("Verdict on tickets (400 items): ")
    for words in SAID[name]:
        assert words in said
    korean = said_of(name, "ko")
    assert korean.startswith("tickets(") and "의 결론:" in korean and "{" not in korean


def test_the_price_of_a_month_stands_beside_and_an_unknown_one_is_said() -> None:
    assert "A month of 100,000 queries, training included, costs: tuned $0.50; gpt $12.00." in said_of("cheaper")
    assert "What mine would cost is not known" in said_of("leader", unpriced=("mine",))


def test_there_is_no_verdict_without_a_choice() -> None:
    evaluation: Any = SimpleNamespace(verdict=None)
    assert verdict_sentences(evaluation) == []
