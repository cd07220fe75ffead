"""The list of sections that a report on one benchmark is made of: a new section is a line here.

An `EvaluationFigures` in, tables and sentences out, each in the order of the list; every form of the report draws
these, so all of them show the same. The cells of a table are text as a person reads it; escaping is the business of
the form.
"""

from data.common.language import ENGLISH, Language
from eval.report.evaluation import EvaluationFigures
from eval.report.section import Section, Table
from eval.report.sections import (
    attribution,
    calibration,
    cascade,
    costs,
    differences,
    distilled,
    early_end,
    labels,
    ladder,
    log_scores,
    matrix,
    position_bias,
    power,
    prompt_spread,
    readings,
    reference_scores,
    scores,
    settings,
    shortlist,
    tags,
    warnings,
)

# A topic whose sentences stand elsewhere among the sentences than its tables among the tables has two lines.
SECTIONS = (
    Section(scores.score_tables, scores.incomplete_sentences),
    Section(sentences=warnings.warning_sentences),
    Section(sentences=warnings.note_sentences),
    Section(early_end.early_end_tables, early_end.early_end_sentences),
    Section(differences.difference_tables, differences.difference_sentences),
    Section(matrix.matrix_tables, matrix.matrix_sentences),
    Section(prompt_spread.prompt_tables, prompt_spread.prompt_sentences),
    Section(distilled.distilled_tables, distilled.distilled_sentences),
    Section(ladder.ladder_tables, ladder.ladder_sentences),
    Section(attribution.attribution_tables, attribution.attribution_sentences),
    Section(sentences=shortlist.shortlist_sentences),
    Section(costs.cost_tables),
    Section(cascade.cascade_tables, cascade.cascade_sentences),
    Section(scores.distribution_tables, scores.guessing_sentences),
    Section(position_bias.order_tables, position_bias.order_sentences),
    Section(scores.confusion_tables),
    Section(labels.label_tables, labels.label_sentences),
    Section(calibration.calibration_tables),
    Section(tags.tag_tables),
    Section(sentences=reference_scores.constant_sentences),
    Section(readings.reading_tables, readings.reading_sentences),
    Section(log_scores.log_score_tables, log_scores.log_score_sentences),
    Section(reference_scores.reference_tables),
    Section(sentences=costs.cost_sentences),
    Section(sentences=power.power_sentences),
    Section(sentences=scores.cluster_sentences),
    Section(settings.settings_tables),
)


def evaluation_tables(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[Table]:
    """Return every table of one benchmark that has something to show, the most important first."""
    return [table for section in SECTIONS for table in section.tables(evaluation, say) if table.rows]


def conclusion(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say in words what the data of one benchmark support, and no more, the most important first.

    A difference is called real only where the adjusted p-value and the cluster interval agree; everything else is said
    not to be distinguishable from chance.
    """
    return [sentence for section in SECTIONS for sentence in section.sentences(evaluation, say)]
