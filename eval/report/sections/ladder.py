"""The report's section on the retrieval ladder: what the same reader scores as it is shown more.

An evaluation's ladders and pairs in, tables and sentences out. A share of a gap is only said where the items show that
there is a gap.
"""

from chains.registry import Rung
from data.common.language import ENGLISH, Language
from eval.measures.ladder import Gap, Ladder
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import NOTHING, listed, percent, share_with_interval, signed
from eval.report.section import Table
from eval.report.sections.attribution import idle_systems
from eval.report.sections.scores import accuracy_text, points_text

SHOWN: dict[Rung, str] = {
    "choices-only": "the choices alone",
    "closed-book": "no passage",
    "shuffled": "another item's passage",
    "retrieved": "retrieved passages",
    "oracle": "its own passage",
}


def ladder_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return the tables of every reader's ladder."""
    tables = []
    for ladder in evaluation.ladders:
        tables += [_ladder_table(evaluation, ladder, say), _gaps_table(evaluation, ladder, say)]
    return tables


def _ladder_table(evaluation: EvaluationFigures, ladder: Ladder, say: Language) -> Table:
    systems = {system.name: system for system in evaluation.systems}
    overall = {gap.system: gap for gap in ladder.gaps if not gap.tag}
    rows = []
    for step in ladder.steps:
        system, gap = systems[step.system], overall.get(step.system)
        points = (points_text(system, say),) if evaluation.weighted else ()
        settled = gap is not None and _is_settled(evaluation, ladder, gap)
        recovered = NOTHING if gap is None else _recovered(gap, say) if settled else say("not known")
        rows.append(
            (say(SHOWN[step.rung]), step.system, _number(step.k), accuracy_text(system, say), *points, recovered)
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


def _gaps_table(evaluation: EvaluationFigures, ladder: Ladder, say: Language) -> Table:
    """Accuracy without a passage and with the own one, and what is recovered, by section and kind of question."""
    gaps = [gap for gap in ladder.gaps if _is_settled(evaluation, ladder, gap)]
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


def ladder_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say for each reader what retrieval is worth to it."""
    said = []
    for ladder in evaluation.ladders:
        against_own = _against(evaluation, ladder, ladder.on("oracle"), say)
        against_none = _against(evaluation, ladder, ladder.on("closed-book"), say)
        if against_own:
            said.append(
                say(
                    "With retrieval or by prompt alone? Against the own passage in the prompt ({base}): {found}.",
                    base=ladder.on("oracle"),
                    found=against_own,
                )
            )
        if against_none:
            said.append(
                say("Against no passage at all ({base}): {found}.", base=ladder.on("closed-book"), found=against_none)
            )
        said += _recovered_sentences(evaluation, ladder, say)
    return said


def _against(evaluation: EvaluationFigures, ladder: Ladder, base: str | None, say: Language) -> str:
    """List how each system that retrieves does against one of the same reader; "" without such a pair."""
    found = []
    for step in ladder.steps:
        pair = {step.system, base}
        one = next((one for one in evaluation.comparisons if {one.a, one.b} == pair), None)
        if step.rung != "retrieved" or one is None or one.unsettled or step.system in idle_systems(evaluation):
            continue
        difference = signed(one.difference if one.a == step.system else 0.0 - one.difference)  # no sign before zero
        if one.distinguishable:
            found.append(
                say("{system} {difference} percentage points, beyond chance", system=step.system, difference=difference)
            )
        else:
            found.append(
                say(
                    "{system} {difference} percentage points, not distinguishable from chance",
                    system=step.system,
                    difference=difference,
                )
            )
    return listed(found, say) if found else ""


def _is_settled(evaluation: EvaluationFigures, ladder: Ladder, gap: Gap) -> bool:
    """Say whether a gap tells of retrieval: something was retrieved, and replies without text decide none of it."""
    three = {gap.system, ladder.on("closed-book"), ladder.on("oracle")}
    unsettled = any(one.unsettled for one in evaluation.comparisons if {one.a, one.b} <= three)
    return not unsettled and gap.system not in idle_systems(evaluation)


def _recovered_sentences(evaluation: EvaluationFigures, ladder: Ladder, say: Language) -> list[str]:
    """Say what share of the gap between no passage and the own one each system that retrieves recovers."""
    retrieved = {step.system for step in ladder.steps if step.rung == "retrieved"}
    overall = [gap for gap in ladder.gaps if not gap.tag and gap.system in retrieved]
    gaps = [gap for gap in overall if _is_settled(evaluation, ladder, gap)]
    if not gaps:
        return []
    names = {"oracle": ladder.on("oracle"), "closed": ladder.on("closed-book")}
    if not any(gap.exists for gap in gaps):
        return [
            say(
                "{oracle} is not right more often than {closed}: there is no gap that retrieval could recover.", **names
            )
        ]
    known = [
        say("{system} recovers {share}", system=gap.system, share=share_with_interval(gap.recovered, gap.interval, say))
        for gap in gaps
        if gap.recovered is not None
    ]
    if not known:
        return [
            say(
                "These items do not show that {oracle} is better than {closed}, so how much of that gap retrieval "
                "recovers is not known.",
                **names,
            )
        ]
    return [say("Of what the own passage adds to none (95% intervals), {found}.", found=listed(known, say))]


def _recovered(gap: Gap, say: Language) -> str:
    if gap.recovered is None:
        return say("not known") if gap.exists else say("no gap")
    return share_with_interval(gap.recovered, gap.interval, say)


def _number(n: int | None) -> str:
    return NOTHING if n is None else f"{n:,}"
