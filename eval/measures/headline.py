"""Which pairs a run is about: tuned beside prompted, with retrieval beside without, the leader beside the cheapest.

They are a family of tests of their own: what bears on the questions is not paid for by comparisons of baselines.
Descriptions and comparisons in, the same comparisons out, those pairs first.
"""

from collections.abc import Collection, Mapping, Sequence

from eval.measures.differences import Comparison
from eval.measures.ladder import rung_of
from eval.measures.paired_tests import holm
from eval.rundir.description import SystemDescription, looks_up, model_spec, role_of


def with_headline(
    comparisons: Sequence[Comparison],
    descriptions: Mapping[str, SystemDescription],
    leader_and_cheapest: Collection[str] = (),
) -> tuple[Comparison, ...]:
    """Return the comparisons with those first that a run is about, their p-values adjusted among themselves.

    The p-values of all others stay adjusted for all pairs. In a run that may end early nothing changes: its tests hold
    for all pairs at any time.

    Args:
        comparisons: Every pair of an evaluation.
        descriptions: What each system is, by name.
        leader_and_cheapest: The names of these two; empty where one system is both, or no price is known.
    """
    first = [one for one in comparisons if _is_headline(one, descriptions, leader_and_cheapest)]
    if any(one.at_any_time for one in comparisons) or not first:
        return tuple(comparisons)
    adjusted = holm([one.p for one in first])
    headline = [one.model_copy(update={"headline": True, "p_holm": p}) for one, p in zip(first, adjusted, strict=True)]
    return (*headline, *(one for one in comparisons if one not in first))


def is_tuned_beside_prompted(a: SystemDescription, b: SystemDescription) -> bool:
    """Tell whether `a` was trained and `b` is prompted."""
    return (role_of(a), role_of(b)) == ("trained", "prompted")


def adds_retrieval(a: SystemDescription, b: SystemDescription) -> bool:
    """Tell whether `a` is prompted with retrieved passages and `b` is the same model prompted without.

    The prompts may differ, as an agent's does from any other. Choices alone or another item's passage are no prompt
    that anyone would choose between.
    """
    if rung_of(b) in ("choices-only", "shuffled"):
        return False
    both_prompted = role_of(a) == role_of(b) == "prompted"
    return both_prompted and model_spec(a) == model_spec(b) and looks_up(a) > looks_up(b)


def _is_headline(
    one: Comparison, descriptions: Mapping[str, SystemDescription], leader_and_cheapest: Collection[str]
) -> bool:
    a, b = descriptions[one.a], descriptions[one.b]
    questions = (is_tuned_beside_prompted, adds_retrieval)
    return {one.a, one.b} == set(leader_and_cheapest) or any(asks(a, b) or asks(b, a) for asks in questions)
