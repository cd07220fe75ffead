"""The report's sentence on what a benchmark of this size can show at all."""

from data.common.language import Language
from eval.measures.power import reach_sentence
from eval.report.evaluation import EvaluationFigures


def power_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say which differences so many items cannot show; nothing for a run that may end early."""
    if evaluation.early_end is not None:
        return []
    n_systems = len(evaluation.systems)
    said = reach_sentence(evaluation.n_items, n_groups=evaluation.n_clusters, n_systems=n_systems, say=say)
    return [said] if said else []
