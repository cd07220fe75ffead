"""The report's section on wordings: how far those of a prompt lie apart, and which differences hold over others too."""

from data.common.language import ENGLISH, Language
from eval.measures.prompt_spread import Family, FamilyComparison
from eval.measures.stats import is_outside
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import ends, items_counted, percent, signed, span
from eval.report.section import Table


def prompt_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return a table of the families, and one of what each differs from every other family and system by."""
    return [_families(evaluation, say), _comparisons(evaluation, say)]


def _families(evaluation: EvaluationFigures, say: Language) -> Table:
    rows = tuple(
        (
            one.name,
            f"{len(one.wordings)}",
            percent(one.accuracy),
            ends(one.items_interval, say),
            ends(one.interval, say),
            f"{100 * one.deviation:.1f}",
            _wording(one, one.worst),
            _wording(one, one.best),
        )
        for one in evaluation.prompts.families
    )
    columns = (
        say("System"),
        say("Wordings"),
        say("Mean accuracy"),
        say("95% interval, other items"),
        say("95% interval, other items and wordings"),
        say("Standard deviation between wordings"),
        say("Worst wording"),
        say("Best wording"),
    )
    note = say(
        "The mean over all wordings of a prompt, on the items that every one of them answered. The first interval is "
        "of these very wordings on other items; the second takes the wordings too for a few of many, and is wide where "
        "there are few. The standard deviation, in percentage points, leaves out what chance alone puts between "
        "wordings on so few items. The best wording was chosen on these items: on others it will score a little less."
    )
    return Table("prompts", say("What the wording of the prompt is worth"), columns, rows, note=note)


def _wording(family: Family, system: str) -> str:
    found = next(one for one in family.wordings if one.system == system)
    return f"{found.name} ({percent(found.accuracy)})"


def _comparisons(evaluation: EvaluationFigures, say: Language) -> Table:
    rows = tuple(
        (
            one.a,
            one.b,
            f"{one.n:,}",
            signed(one.difference),
            span(one.items_interval, say),
            span(one.interval, say),
            _told_apart(one, say),
        )
        for one in evaluation.prompts.comparisons
    )
    columns = (
        say("System"),
        say("Against"),
        say("Items"),
        say("Difference"),
        say("95% interval, other items"),
        say("95% interval, other items and wordings"),
        say("With other wordings too"),
    )
    note = say(
        "The mean accuracy over a system's wordings minus that of the other, in percentage points. Where both have the "
        "same wordings, these are paired as the items are. Of a system that was asked with one wording nothing is "
        "known about its others, and its share of the doubt is missing. The intervals are not adjusted for how many "
        "there are."
    )
    return Table("prompt-differences", say("Differences over the wordings"), columns, rows, text_columns=2, note=note)


def _told_apart(one: FamilyComparison, say: Language) -> str:
    if one.interval is None:
        return say("unknown")
    return say("a difference") if is_outside(0.0, one.interval) else say("no difference shown")


def prompt_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say of each family how far its wordings lie apart, and whether that is more than chance."""
    return [_sentence(family, say) for family in evaluation.prompts.families]


def _sentence(family: Family, say: Language) -> str:
    values = {
        "name": family.name,
        "n": f"{len(family.wordings)}",
        "accuracy": percent(family.accuracy),
        "items": items_counted(family.n, say),
        "worst": _wording(family, family.worst),
        "best": _wording(family, family.best),
        "deviation": f"{100 * family.deviation:.1f}",
    }
    if family.is_real:
        return say(
            "The {n} wordings of {name} have {accuracy} of {items} right on average, from {worst} to {best}: the "
            "wording makes a difference beyond chance (standard deviation {deviation} points).",
            **values,
        )
    return say(
        "The {n} wordings of {name} have {accuracy} of {items} right on average, from {worst} to {best}, which are not "
        "told apart.",
        **values,
    )
