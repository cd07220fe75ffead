"""What a run showed, as data: scores with intervals, paired differences, cost, and the sentences they support.

A run in, one `Summary` out; the Markdown, HTML and terminal reports are all drawn from it, so they
cannot disagree. The same records always give the same summary: no clock and no unseeded draw.
"""

from pathlib import Path

from data.common.language import Language, language
from data.types import Frozen
from eval.measures.prices import PriceTable, price_table
from eval.measures.run_answers import RunAnswers, read_answers
from eval.report.evaluation import EvaluationFigures, evaluation_figures
from eval.report.sections.all_sections import conclusion
from eval.report.sections.verdict import verdict_sentences
from eval.report.sections.warnings import warning_sentences
from eval.rundir.description import Machine


class EvaluationSummary(EvaluationFigures):
    """The same in words.

    Attributes:
        verdict_sentences: Which system to take and what that rests on; empty where there is no choice.
        conclusion: Further sentences, the most important first.
        warnings: Those of the sentences that say what makes the scores say less than they seem to.
    """

    verdict_sentences: tuple[str, ...] = ()
    conclusion: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Summary(Frozen):
    """A whole run; version 3 names `reference_scores` and `repeats` what version 2 called yardsticks and askings.

    Attributes:
        lang: The language of the conclusions, and of the reports drawn from this.
    """

    schema_version: int = 3
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

    @property
    def most_decisive_first(self) -> list[tuple[int, EvaluationSummary]]:
        """Each evaluation with its number, from 1, in the order of the reports: what decides something comes first."""
        return sorted(enumerate(self.evaluations, start=1), key=lambda numbered: _undecided(numbered[1]))


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
        _in_words(evaluation_figures(run, evaluation, answers, prices=table), say)
        for evaluation, answers in zip(manifest.evaluations, run.evaluations, strict=True)
    )
    return Summary(
        lang=lang,
        name=manifest.name,
        complete=all(evaluation.complete for evaluation in evaluations),
        conclusion=tuple(
            sentence for evaluation in sorted(evaluations, key=_undecided) for sentence in evaluation.conclusion
        ),
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


def _undecided(evaluation: EvaluationFigures) -> int:
    """Rank a benchmark by how little it decides: 0 for a choice beyond chance, 3 where nothing can be taken."""
    verdict = evaluation.verdict
    if verdict is None or verdict.kind == "none":
        return 3
    if verdict.kind == "open":
        return 2
    return int(verdict.kind == "leader" and not verdict.is_real)


def _in_words(figures: EvaluationFigures, say: Language) -> EvaluationSummary:
    words = {
        "verdict_sentences": verdict_sentences(figures, say),
        "conclusion": conclusion(figures, say),
        "warnings": warning_sentences(figures, say),
    }
    return EvaluationSummary.model_validate(dict(figures) | words)
