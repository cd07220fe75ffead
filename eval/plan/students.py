"""Students: encoders that a run trains on what another of its systems, the teacher, answers.

An entry and the systems of its evaluation in, a `System` out that waits for its teacher: what the teacher is asked for
it stands in `System.pool`, and is answered before the student is opened (`eval.execution.runner`).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data.common.errors import ConfigurationError
from data.common.progress import log
from data.splits import hold_out, unmeasured
from data.types import Item
from data.unlabelled import unlabelled_items
from eval.measures.teacher_answers import known_beforehand, read_pool
from eval.plan.chain_predictor import Predictor
from eval.plan.context import Context, text_columns
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.plan.system import LOCAL_BATCH, System, learnt_from
from eval.plan.trained_systems import checked_labels, class_labels, encoder_settings, train_and_load
from eval.rundir.description import SystemDescription


def check_teachers(suite: Suite) -> None:
    """Refuse students whose teachers are not there, before anything is built.

    Raises:
        ConfigurationError: A teacher is no system of the same evaluation, or one that is not asked itself.
    """
    for evaluation in suite.evaluations:
        for spec in (one for one in evaluation.systems if one.labels_from is not None):
            _check(spec, evaluation)


def _check(spec: SystemSpec, evaluation: EvaluationSpec) -> None:
    others = {one.name: one for one in evaluation.systems if one.name != spec.name}
    teacher = others.get(str(spec.labels_from))
    if teacher is None:
        known = ", ".join(name for name, one in others.items() if _may_teach(one))
        why = (
            f"there is no other system '{spec.labels_from}' of {evaluation.benchmark} to learn from; there are {known}"
        )
    elif not _may_teach(teacher):
        kind = "a cascade" if teacher.cascade is not None else "a student itself"
        why = f"its teacher '{teacher.name}' is {kind}; name a system that is asked the texts"
    else:
        return
    raise ConfigurationError(f"student '{spec.name}': {why}")


def _may_teach(spec: SystemSpec) -> bool:
    return spec.cascade is None and spec.labels_from is None


def student_system(spec: SystemSpec, context: Context, built: Mapping[str, System]) -> System:
    """Build a student of a system that is built.

    Raises:
        ConfigurationError: A setting or a file cannot be used, no text is left to be labelled, or the teacher has
            learnt the texts that it would label.
        MissingResourceError: The encoder or the file is not there.
    """
    from finetune.check import check

    labels, teacher = class_labels(context), built[str(spec.labels_from)]
    settings = encoder_settings(spec, context)
    pool = texts_to_label(spec, context, learns=bool(teacher.description.train_items))
    if doubt := known_beforehand(teacher.name, teacher.description):
        log(doubt)
    # The texts of the pool have no labels yet: all but these is checked on items of the same texts that have.
    check(settings, train_items=context.items, eval_items=context.items, labels=labels)
    about = {"finetune": settings.model_dump(mode="json"), "labels_from": teacher.name, **learnt_from(pool)}
    description = SystemDescription(kind="finetune", **about)
    open_trained = partial(_learn, settings, teacher.name, pool, labels)
    return System(
        spec.name,
        description,
        LOCAL_BATCH,
        open_trained,
        checked_labels(spec, labels),
        teacher=teacher.name,
        pool=tuple(pool),
    )


def texts_to_label(spec: SystemSpec, context: Context, *, learns: bool) -> list[Item]:
    """Return the texts that a student's teacher labels: none of them is measured, nor was learnt by the teacher.

    Args:
        spec: The student's entry.
        context: What the systems of the evaluation share.
        learns: Whether the teacher learns from the training items.

    Raises:
        ConfigurationError: No text is left, a file cannot be used, or the teacher would label what it learns from.
        MissingResourceError: There is no such file.
    """
    if spec.unlabelled is None:
        if learns:
            raise ConfigurationError(
                f"student '{spec.name}': its teacher '{spec.labels_from}' learns from the very items that it would "
                "label; name texts that nobody has labelled as unlabelled: FILE"
            )
        pool, source = context.train_items(), "the training items"
    else:
        source = str(spec.unlabelled)
        pool = unlabelled_items(
            spec.unlabelled,
            columns=text_columns(context.spec, context.items[0], is_own=bool(context.own.items)),
            choices=context.items[0].choices,
            name=context.benchmark.name,
        )
    unseen = unmeasured(pool, context.items)
    new = unmeasured(unseen, context.train_items()) if learns else unseen
    for n, why in (
        (len(pool) - len(unseen), "are measured"),
        (len(unseen) - len(new), f"are learnt by {spec.labels_from}"),
    ):
        if n:
            log(f"{spec.name}: {n:,} of {len(pool):,} texts of {source} {why}: left out")
    if not new:
        raise ConfigurationError(f"student '{spec.name}': no text of {source} is left to be labelled; name other texts")
    return new


def _learn(settings: Any, teacher: str, pool: Sequence[Item], labels: Sequence[str], folder: Path) -> Predictor:
    """Train on what the teacher answered; a finished checkpoint is taken as it is.

    Raises:
        ConfigurationError: It answered nothing that can be learnt from.
    """
    from finetune.teacher import left_out_sentence, taught

    checkpoint = folder / "checkpoint"
    if checkpoint.is_dir():
        return train_and_load(settings, (), (), labels, folder)
    found = taught(pool, read_pool(folder.parent / teacher), teacher=teacher)
    log(f"{folder.name}: {left_out_sentence(found)}")
    learnt, held_out = hold_out(found.items, seed=settings.seed)
    return train_and_load(settings, learnt, held_out, labels, folder, teacher=found)
