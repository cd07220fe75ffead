"""What a run showed, as data: scores with intervals, paired differences, cost, and the sentences they support.

A run's directory in, one `Summary` out; the Markdown, HTML and terminal reports are all drawn from it, so they
cannot disagree. The same records always give the same summary: no clock and no unseeded draw.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from data.types import Frozen, Record
from eval.askings import Askings, measure_askings, measure_positions
from eval.attribution import Attribution, attribute
from eval.breakeven import BreakEven, SystemCost, break_evens
from eval.calibration import calibration_intervals
from eval.compare import Answers, Comparison, compare_all, read_answers
from eval.cost import PriceTable, price_table
from eval.description import TRAINED_KINDS
from eval.extraction_audit import ExtractionAudit, audit
from eval.journal import Evaluation, Manifest, latest_records, read_manifest, records_path
from eval.label_order import find_exchange
from eval.ladder import Ladder, climb
from eval.language import ENGLISH, Language, language
from eval.metrics import Scores, score
from eval.position_bias import PositionTest
from eval.power import ASSUMED_DISCORDANCE, minimum_detectable_difference
from eval.probabilities import read_probabilities
from eval.report.conclusion import conclude
from eval.report.cost_curve import Drawing, lay_out
from eval.report.costs import cost_of, measure
from eval.stats import Interval, macro_f1_interval, share_interval
from eval.yardsticks import Yardsticks, yardsticks_of


class SystemSummary(Frozen):
    """One system on one benchmark.

    Attributes:
        description: What the manifest says the system is.
        records: Items it has a record for.
        missing: Items of the evaluation it has none for.
        scores: None without any record.
        accuracy_interval: 95 %; None where nothing was answered or all items are one cluster, as are the others.
        points_interval: 95 %, as a share of the points possible.
        macro_f1_interval: 95 %.
        calibration_intervals: 95 % of brier, log_loss and overconfidence; empty without probabilities.
        cost: At the prices in force.
        exchanged: Of a classifier: which of its label names seem to be exchanged, and by what; "" for none.
        shortened: Prompts whose passage was shortened to fit the model's context.
        most_cut_tokens: By which one of them was shortened the most.
        cached: Answers that the response cache gave, or a part of.
        audit: How its answers were read; None where there is none, and in an older run's summary.
        positions: Which positions among the choices it chose; None where it answered nothing.
        askings: Of items that it was asked several times; None where it was asked once.
    """

    name: str
    description: dict[str, Any]
    records: int
    missing: int
    scores: Scores | None
    accuracy_interval: Interval | None
    points_interval: Interval | None
    macro_f1_interval: Interval | None
    cost: SystemCost
    exchanged: str = ""
    shortened: int = 0
    most_cut_tokens: int = 0
    cached: int = 0
    calibration_intervals: dict[str, Interval | None] = Field(default_factory=dict)
    audit: ExtractionAudit | None = None
    positions: PositionTest | None = None
    askings: Askings | None = None

    @property
    def complete(self) -> bool:
        return self.missing == 0 and self.scores is not None and self.scores.complete


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
    yardsticks: Yardsticks = Yardsticks()


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
    hardware: dict[str, Any] | None
    started_utc: str


def summarize(run_dir: Path, *, prices: PriceTable | None = None, lang: str = "en") -> Summary:
    """Score everything that a run's journals hold.

    Args:
        run_dir: The run; a journal or an item that is missing makes the summary incomplete.
        prices: None for the price table in force.
        lang: The language of the conclusions.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: A file in it is damaged.
    """
    manifest = read_manifest(run_dir)
    evaluations = tuple(
        _summarize_evaluation(
            run_dir, evaluation, manifest=manifest, prices=prices or price_table(), say=language(lang)
        )
        for evaluation in manifest.evaluations
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
    run_dir: Path, evaluation: Evaluation, *, manifest: Manifest, prices: PriceTable, say: Language
) -> EvaluationSummary:
    systems: list[SystemSummary] = []
    answers: dict[str, Answers] = {}
    traits = _Traits()
    for name in evaluation.systems:
        records = latest_records(records_path(run_dir, name), texts=False)
        answers[name] = read_answers(records.values())
        traits.see(records.values())
        cost = _cost(run_dir / name, records, manifest=manifest, prices=prices)
        description, n_items = manifest.systems.get(name, {}), evaluation.n_items
        systems.append(
            _summarize_system(name, records, answers=answers[name], n_items=n_items, description=description, cost=cost)
        )
        del records  # before the next journal is read
    without_conclusion = EvaluationSummary(
        benchmark=evaluation.benchmark,
        split=evaluation.split,
        data=evaluation.data,
        n_items=evaluation.n_items,
        n_clusters=len(traits.groups),
        fingerprint=evaluation.fingerprint,
        complete=all(system.complete for system in systems),
        chance=traits.chance,
        weighted=traits.weights != {1.0},
        labelled=any(s.scores is not None and not s.scores.class_names[0].isdigit() for s in systems),
        systems=tuple(systems),
        comparisons=tuple(compare_all(answers, evaluation=evaluation)),
        break_even=break_evens({system.name: system.cost for system in systems}),
        detectable_difference=minimum_detectable_difference(evaluation.n_items),
        assumed_discordance=ASSUMED_DISCORDANCE,
        conclusion=(),
        ladders=tuple(climb(answers, manifest.systems)),
        attributions=tuple(attribute(run_dir, answers, manifest.systems)),
        yardsticks=yardsticks_of(answers.values(), n_choices=traits.n_choices),
    )
    return without_conclusion.model_copy(update={"conclusion": tuple(conclude(without_conclusion, say))})


def _cost(folder: Path, records: Mapping[str, Record], *, manifest: Manifest, prices: PriceTable) -> SystemCost:
    description = manifest.systems.get(folder.name, {})
    return cost_of(description, measure(records.values()), folder, hardware=manifest.hardware, table=prices)


class _Traits:
    """What is true of the items, gathered over all journals, as no single one need hold every item."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.weights: set[float] = set()
        self._choices: dict[str, int] = {}

    def see(self, records: Iterable[Record]) -> None:
        for record in records:
            self.groups.add(record.item.group)
            self.weights.add(record.item.weight)
            self._choices[record.item.id] = len(record.item.choices)

    @property
    def n_choices(self) -> int:
        return max(self._choices.values(), default=0)

    @property
    def chance(self) -> float | None:
        counts = self._choices.values()
        return round(sum(1 / n for n in counts) / len(counts), 6) if counts else None


def _summarize_system(
    name: str,
    records: Mapping[str, Record],
    *,
    answers: Answers,
    n_items: int,
    description: dict[str, Any],
    cost: SystemCost,
) -> SystemSummary:
    scores = score(records.values()) if records else None
    predictions = (record.prediction for record in records.values())
    cuts = [one.usage["cut_tokens"] for one in predictions if one and one.usage.get("cut_tokens")]
    given = read_probabilities(records.values())
    accuracy = points = macro_f1 = None
    if scores is not None and answers.ids:
        ones, groups = answers.weights * 0 + 1, answers.groups
        accuracy = share_interval(answers.correct, ones, groups)
        points = share_interval(answers.correct * answers.weights, answers.weights, groups)
        n_classes = len(scores.class_names)
        macro_f1 = macro_f1_interval(answers.targets, answers.choices, groups, n_classes=n_classes)
    return SystemSummary(
        name=name,
        description=description,
        records=len(records),
        missing=max(0, n_items - len(records)),
        scores=scores,
        accuracy_interval=accuracy,
        points_interval=points,
        macro_f1_interval=macro_f1,
        cost=cost,
        exchanged=_exchanged(description, answers, scores),
        shortened=len(cuts),
        most_cut_tokens=max(cuts, default=0),
        cached=sum(record.cache_hits > 0 for record in records.values()),
        calibration_intervals={} if given is None else calibration_intervals(given),
        audit=audit(records.values()),
        positions=measure_positions(records.values()),
        askings=measure_askings(records.values()),
    )


def _exchanged(description: Mapping[str, Any], answers: Answers, scores: Scores | None) -> str:
    """Check a classifier's label order, whatever its run was told: a report shows the scores to others too."""
    if description.get("kind") not in TRAINED_KINDS or scores is None:
        return ""
    found = find_exchange(answers.targets.tolist(), answers.choices.tolist(), labels=scores.class_names)
    return "" if found is None else str(found)
