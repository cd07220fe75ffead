"""What a run showed, as data: scores with intervals, paired differences, cost, and the sentences they support.

A run in, one `Summary` out; the Markdown, HTML and terminal reports are all drawn from it, so they
cannot disagree. The same records always give the same summary: no clock and no unseeded draw.
"""

from pathlib import Path

from data.common.language import ENGLISH, Language, language
from data.types import Frozen
from eval.measures.answers import Answers, RunAnswers, read_answers
from eval.measures.attribution import Attribution, attribute
from eval.measures.costs import BreakEven, break_evens
from eval.measures.differences import Comparison, compare_all
from eval.measures.ladder import Ladder, climb
from eval.measures.power import ASSUMED_DISCORDANCE, minimum_detectable_difference
from eval.measures.prices import PriceTable, price_table
from eval.measures.reference_scores import ReferenceScores, reference_scores
from eval.report.sections.conclusion import conclude
from eval.report.sections.cost_curve import Drawing, lay_out
from eval.report.sections.warnings import warning_sentences
from eval.report.system_summary import SystemSummary, summarize_system
from eval.rundir.description import Machine
from eval.rundir.journal import Evaluation


class EvaluationSummary(Frozen):
    """All systems of a run on one benchmark.

    Attributes:
        n_clusters: Groups among the items that were answered.
        chance: Expected accuracy of a uniform guess.
        weighted: Whether items are worth points, as in an exam.
        labelled: Whether all items share their choices, so that the classes have names.
        break_even: Every trained system against every prompted one.
        detectable_difference: Smallest true difference in accuracy seen with 80 % power; None where there is none.
        assumed_discordance: The share of items on which two systems disagree, as assumed for it.
        yardsticks: What constant answers score, and what others published.
        ladders: Of each reader that is shown more and more; empty in an older run's summary.
        attributions: Of each system that retrieves, why its items came out as they did.
        warnings: What makes the scores say less than they seem to; part of the conclusion.
    """

    benchmark: str
    split: str
    data: str | None
    n_items: int
    n_clusters: int
    fingerprint: str
    complete: bool
    chance: float | None
    weighted: bool
    labelled: bool
    systems: tuple[SystemSummary, ...]
    comparisons: tuple[Comparison, ...]
    break_even: tuple[BreakEven, ...]
    detectable_difference: float | None
    assumed_discordance: float
    conclusion: tuple[str, ...]
    ladders: tuple[Ladder, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    yardsticks: ReferenceScores = ReferenceScores()
    warnings: tuple[str, ...] = ()


class Summary(Frozen):
    """A whole run; version 2 prices machines and training, where version 1 knew calls alone.

    Attributes:
        lang: The language of the conclusions, and of the reports drawn from this.
    """

    schema_version: int = 2
    lang: str = "en"
    name: str
    complete: bool
    conclusion: tuple[str, ...]
    evaluations: tuple[EvaluationSummary, ...]
    seed: int
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str]
    hardware: Machine | None
    started_utc: str


def summarize(run_dir: Path, *, prices: PriceTable | None = None, lang: str = "en") -> Summary:
    """Read a run and sum it up; for the arguments see `summarize_answers`.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: A file in it is damaged.
    """
    return summarize_answers(read_answers(run_dir), prices=prices, lang=lang)


def summarize_answers(run: RunAnswers, *, prices: PriceTable | None = None, lang: str = "en") -> Summary:
    """Score everything that a run's journals hold.

    Args:
        run: A journal or an item that is missing makes the summary incomplete.
        prices: None for the price table in force.
        lang: The language of the conclusions.
    """
    manifest, table, say = run.manifest, prices or price_table(), language(lang)
    evaluations = tuple(
        _summarize_evaluation(run, evaluation, answers, prices=table, say=say)
        for evaluation, answers in zip(manifest.evaluations, run.evaluations, strict=True)
    )
    return Summary(
        lang=lang,
        name=manifest.name,
        complete=all(evaluation.complete for evaluation in evaluations),
        conclusion=tuple(sentence for evaluation in evaluations for sentence in evaluation.conclusion),
        evaluations=evaluations,
        seed=manifest.seed,
        git_commit=manifest.git_commit,
        git_dirty=manifest.git_dirty,
        versions=manifest.versions,
        hardware=manifest.hardware,
        started_utc=manifest.started_utc,
    )


def read_summary(path: Path) -> Summary:
    """Read a summary.json that `write_report` has just written."""
    return Summary.model_validate_json(path.read_text(encoding="utf-8"))


def cost_drawing(evaluation: EvaluationSummary, say: Language = ENGLISH) -> Drawing | None:
    """Return the break-even curve of an evaluation; None where no break-even is known."""
    return lay_out({system.name: system.cost for system in evaluation.systems}, evaluation.break_even, say)


def _summarize_evaluation(
    run: RunAnswers, evaluation: Evaluation, answers: dict[str, Answers], *, prices: PriceTable, say: Language
) -> EvaluationSummary:
    manifest, items = run.manifest, next(iter(answers.values())).items
    systems = tuple(
        summarize_system(one, run.run_dir / name, n_items=evaluation.n_items, manifest=manifest, prices=prices)
        for name, one in answers.items()
    )
    without_conclusion = EvaluationSummary(
        benchmark=evaluation.benchmark,
        split=evaluation.split,
        data=evaluation.data,
        n_items=evaluation.n_items,
        n_clusters=len(items.group_names),
        fingerprint=evaluation.fingerprint,
        complete=all(system.complete for system in systems),
        chance=round(float((1 / items.n_choices).mean()), 6) if items.ids else None,
        weighted=set(items.weights.tolist()) != {1.0},
        labelled=any(s.scores is not None and not s.scores.class_names[0].isdigit() for s in systems),
        systems=systems,
        comparisons=tuple(compare_all(answers, evaluation=evaluation)),
        break_even=break_evens({system.name: system.cost for system in systems}),
        detectable_difference=minimum_detectable_difference(evaluation.n_items),
        assumed_discordance=ASSUMED_DISCORDANCE,
        conclusion=(),
        ladders=tuple(climb(answers, manifest.systems)),
        attributions=tuple(attribute(answers, manifest.systems)),
        yardsticks=reference_scores(answers.values()),
    )
    return _with_words(without_conclusion, say)


def _with_words(evaluation: EvaluationSummary, say: Language) -> EvaluationSummary:
    """Put into words what an evaluation shows."""
    words = {"conclusion": tuple(conclude(evaluation, say)), "warnings": tuple(warning_sentences(evaluation, say))}
    return evaluation.model_copy(update=words)
