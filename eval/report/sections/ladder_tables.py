"""The tables of the retrieval ladder and of why RAG items came out as they did, as plain cells."""

from chains.registry import Rung
from data.common.language import ENGLISH, Language
from eval.measures.attribution import Attribution, CauseCount
from eval.measures.causes import CAUSES
from eval.measures.ladder import Gap, Ladder
from eval.report.figures import percent, share_with_interval
from eval.report.sections.cells import NOTHING, accuracy_cell, points_cell
from eval.report.sections.ladder_sentences import is_settled
from eval.report.summary import EvaluationSummary
from eval.report.table import Table

SHOWN: dict[Rung, str] = {
    "choices-only": "the choices alone",
    "closed-book": "no passage",
    "shuffled": "another item's passage",
    "retrieved": "retrieved passages",
    "oracle": "its own passage",
}


def ladder_tables(evaluation: EvaluationSummary, say: Language = ENGLISH) -> list[Table]:
    """Return the tables of every reader's ladder, then why items came out as they did and how passages were found."""
    tables = []
    for ladder in evaluation.ladders:
        tables += [_ladder_table(evaluation, ladder, say), _gaps_table(evaluation, ladder, say)]
    return [*tables, _causes_table(evaluation, say), _found_table(evaluation, say)]


def _ladder_table(evaluation: EvaluationSummary, ladder: Ladder, say: Language) -> Table:
    systems = {system.name: system for system in evaluation.systems}
    overall = {gap.system: gap for gap in ladder.gaps if not gap.tag}
    rows = []
    for step in ladder.steps:
        system, gap = systems[step.system], overall.get(step.system)
        points = (points_cell(system, say),) if evaluation.weighted else ()
        settled = gap is not None and is_settled(evaluation, ladder, gap)
        recovered = NOTHING if gap is None else _recovered(gap, say) if settled else say("not known")
        rows.append(
            (say(SHOWN[step.rung]), step.system, _number(step.k), accuracy_cell(system, say), *points, recovered)
        )
    figures = [say("Chunks"), say("Accuracy, 95% interval")]
    figures += [say("Points, 95% interval")] if evaluation.weighted else []
    columns = (say("What is shown"), say("System"), *figures, say("Gap recovered, 95% interval"))
    note = say(
        "Gap recovered: of what the own passage adds to none, the share that the system adds. It is known where these "
        "items show that the own passage adds anything: where the interval of that difference is above zero."
    )
    prompt = say("prompt {prompt}", prompt=ladder.prompt) if ladder.prompt else ""
    title = say("Retrieval ladder: {reader}", reader=" · ".join(part for part in (ladder.model, prompt) if part))
    return Table("ladder", title, columns, tuple(rows), text_columns=2, note=note)


def _gaps_table(evaluation: EvaluationSummary, ladder: Ladder, say: Language) -> Table:
    """Accuracy without a passage and with the own one, and what is recovered, by section and kind of question."""
    gaps = [gap for gap in ladder.gaps if is_settled(evaluation, ladder, gap)]
    tags = sorted(dict.fromkeys(gap.tag for gap in gaps if gap.tag), key=lambda tag: ":" not in tag)
    systems = list(dict.fromkeys(gap.system for gap in gaps))
    by_tag = {(gap.tag, gap.system): gap for gap in gaps}
    rows = []
    for tag in tags:
        found = [by_tag.get((tag, system)) for system in systems]
        one = next(gap for gap in found if gap is not None)
        cells = (NOTHING if gap is None else _recovered(gap, say) for gap in found)
        rows.append((tag, f"{one.n:,}", percent(one.closed), percent(one.oracle), *cells))
    if not any(gap.recovered is not None for gap in by_tag.values()):
        rows.clear()  # the ladder's own table says that there is no gap
    columns = (say("Items"), say("How many"), ladder.on("closed-book") or "", ladder.on("oracle") or "", *systems)
    return Table("gaps", say("Gap recovered by section and kind of question"), columns, tuple(rows))


def _causes_table(evaluation: EvaluationSummary, say: Language) -> Table:
    """How many items each cause has; causes that no run of this kind can have are left out."""
    attributed = [one for one in evaluation.attributions if one.causes]
    counts = {(one.system, count.cause): count for one in attributed for count in one.causes}
    rows = []
    for cause in CAUSES:
        found = [counts.get((one.system, cause.name)) for one in attributed]  # None: an older run knew fewer causes
        if any(count is not None and count.n for count in found):
            cells = (NOTHING if count is None else _counted(count, say) for count in found)
            rows.append((say(cause.name), say(cause.meaning), *cells))
    oracles = {one.oracle for one in attributed if one.oracle}
    note = say("The same reader with the own passage in the prompt: {oracles}.", oracles=", ".join(sorted(oracles)))
    columns = (say("Cause"), say("What it means"), *(one.system for one in attributed))
    title = say("Why answers with retrieval are right or wrong")
    return Table("causes", title, columns, tuple(rows), text_columns=2, note=note if oracles else "")


def _found_table(evaluation: EvaluationSummary, say: Language) -> Table:
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


def _recovered(gap: Gap, say: Language) -> str:
    if gap.recovered is None:
        return say("not known") if gap.exists else say("no gap")
    return share_with_interval(gap.recovered, gap.interval, say)


def _put_down(one: Attribution, say: Language) -> str:
    if one.to_retrieval is None:
        return NOTHING
    share = share_with_interval(one.to_retrieval, one.to_retrieval_interval, say)
    return say("{share} of {n}", share=share, n=f"{one.wrong:,}")


def _number(n: int | None) -> str:
    return NOTHING if n is None else f"{n:,}"
