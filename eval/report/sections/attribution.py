"""The report's section on why RAG items came out as they did, and how their passages were found."""

from data.common.language import ENGLISH, Language
from eval.measures.attribution import Attribution, CauseCount
from eval.measures.causes import CAUSES, MISSED, OPEN, RETRIEVAL_MISS, SHORTENED, WITHOUT_ORACLE
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, listed, percent, share_with_interval
from eval.report.links import Link, items_query
from eval.report.section import Table


def attribution_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return why items came out as they did, and how passages were found."""
    return [_causes_table(evaluation, say), _found_table(evaluation, say)]


def attribution_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say for each system that retrieves what its wrong answers are put down to."""
    attributed = [one for one in evaluation.attributions if one.causes]
    said = [
        say(
            "Nothing that {system} retrieved is a passage of these items, so its answers are put down to nothing.",
            system=one.system,
        )
        for one in evaluation.attributions
        if one.foreign
    ]
    known = [
        say(
            "{n} of {wrong} wrong answers of {system}",
            n=f"{_n(one, RETRIEVAL_MISS):,}",
            wrong=f"{one.wrong:,}",
            system=one.system,
        )
        for one in attributed
        if one.wrong
    ]
    if known:
        said.append(
            say(
                "Put down to retrieval (the passage was not found; with it the reader is right): {found}.",
                found=listed(known, say),
            )
        )
    return [*said, *(sentence for one in attributed for sentence in _open(one, say))]


def idle_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say of each system that retrieves nothing, for all items or for some, that it does not."""
    return [_idle(one, say) for one in evaluation.attributions if one.idle or one.not_searched]


def idle_systems(evaluation: EvaluationFigures) -> set[str]:
    """Return the systems that should retrieve and retrieved nothing for any item."""
    return {one.system for one in evaluation.attributions if one.idle}


def _idle(one: Attribution, say: Language) -> str:
    figures = {"system": one.system, "all": f"{one.n:,}"}
    if one.not_searched == one.n:
        return say(
            "{system} never searched: on {n} of {all} items its model called no tool, as where a server ignores tools. "
            "Nothing is concluded on retrieval.",
            n=f"{one.not_searched:,}",
            **figures,
        )
    if one.idle:
        return say(
            "{system} retrieved nothing for any of its {all} items. Nothing is concluded on retrieval.", **figures
        )
    some = "{system} looked nothing up on {n} of {all} items: none of these is put down to retrieval."
    return say(some, n=f"{one.not_searched:,}", **figures)


def _open(one: Attribution, say: Language) -> list[str]:
    """Say of the wrong answers whose cause is open how many they are, and what would tell it."""
    unanswered, shortened = sum(_n(one, cause) for cause in WITHOUT_ORACLE), _n(one, SHORTENED)
    said = []
    if unanswered and one.oracle is None:
        said.append(_at_most(one, say))
    elif unanswered:
        said.append(
            say.count(
                unanswered,
                "For {n} more wrong answer of {system} the oracle has no answer, so its cause is open.",
                "For {n} more wrong answers of {system} the oracle has no answer, so their cause is open.",
                system=one.system,
            )
        )
    if shortened:
        said.append(
            say.count(
                shortened,
                "For {n} wrong answer of {system} the passages were shortened to fit the model's context, so its cause "
                "is open.",
                "For {n} wrong answers of {system} the passages were shortened to fit the model's context, so their "
                "cause is open.",
                system=one.system,
            )
        )
    return said


def _at_most(one: Attribution, say: Language) -> str:
    """Say how many wrong answers retrieval may be to blame for where no oracle tells."""
    missed = _n(one, MISSED)
    if not missed:
        found = "No wrong answer of {system} is put down to retrieval: of each wrong answer's passage a part was found."
        return say(found, system=one.system)
    return say(
        "At most {n} of {wrong} wrong answers of {system} can be put down to retrieval; whether they can, "
        "an oracle would tell: the same reader with the item's own passage in the prompt.",
        n=f"{missed:,}",
        wrong=f"{sum(_n(one, cause) for cause in OPEN):,}",
        system=one.system,
    )


def _n(attribution: Attribution, cause: str) -> int:
    return sum(one.n for one in attribution.causes if one.cause == cause)


def _causes_table(evaluation: EvaluationFigures, say: Language) -> Table:
    """How many items each cause has; causes that no run of this kind can have are left out."""
    attributed = [one for one in evaluation.attributions if one.causes]
    counts = {(one.system, count.cause): count for one in attributed for count in one.causes}
    rows: list[tuple[str, ...]] = []
    links = {}
    for cause in CAUSES:
        found = [counts.get((one.system, cause.name)) for one in attributed]  # None: an older run knew fewer causes
        if any(count is not None and count.n for count in found):
            for column, count in enumerate(found, start=2):
                if count is not None:
                    query = items_query(causes={attributed[column - 2].system: cause.name})
                    links[len(rows), column] = (Link(f"{count.n:,}", query),)
            cells = (NOTHING if count is None else _counted(count, say) for count in found)
            rows.append((say(cause.name), say(cause.meaning), *cells))
    oracles = {one.oracle for one in attributed if one.oracle}
    note = say("The same reader with the own passage in the prompt: {oracles}.", oracles=", ".join(sorted(oracles)))
    columns = (say("Cause"), say("What it means"), *(one.system for one in attributed))
    title = say("Why answers with retrieval are right or wrong")
    shown = note if oracles else ""
    return Table("causes", title, columns, tuple(rows), text_columns=2, note=shown, links=links)


def _found_table(evaluation: EvaluationFigures, say: Language) -> Table:
    """How well passages were found for exactly these queries, beside what that cost in answers."""
    columns = (
        say("System"),
        say("Queries"),
        say("Chunks"),
        "Recall@1",
        say("Recall, 95% interval"),
        "MRR",
        say("Of a found passage, retrieved"),
        say("Wrong answers put down to retrieval"),
    )
    rows = tuple(
        (
            one.system,
            f"{found.n_queries:,}",
            f"{found.depth:,}",
            percent(found.recall_at_1),
            share_with_interval(found.recall, found.recall_interval, say),
            f"{found.mrr:.3f}",
            NOTHING if found.read is None else percent(found.read),
            _put_down(one, say),
        )
        for one in evaluation.attributions
        if (found := one.found) is not None
    )
    note = say(
        "Of items that have a passage: whether a chunk of it is among the retrieved, and at which rank among passages. "
        "Put down to retrieval: of the wrong answers whose cause is known, those that the passage would have mended."
    )
    title = say("How passages were found for these questions")
    return Table("found", title, columns, rows, note=note)


def _counted(count: CauseCount, say: Language) -> str:
    return f"{count.n:,} · {share_with_interval(count.share, count.interval, say)}"


def _put_down(one: Attribution, say: Language) -> str:
    if one.to_retrieval is None:
        return NOTHING
    share = share_with_interval(one.to_retrieval, one.to_retrieval_interval, say)
    return say("{share} of {n}", share=share, n=f"{one.wrong:,}")
