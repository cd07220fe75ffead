"""What a student learnt of its teacher's mistakes: which of them it repeats, and how many would be repeated by chance.

The answers of an evaluation and what its systems are in; out comes a `Distilled` for each system that was trained on
what another of them answered. Mistakes that follow no pattern are noise in the labels, which training averages out;
mistakes that the text gives away, such as two labels that the teacher confuses, are learnt like anything else.
"""

from collections.abc import Mapping

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers, on_common_items
from eval.measures.stats import Interval, paired_difference_interval, share_interval
from eval.rundir.description import SystemDescription

MOST = 8  # confusions that are shown


class Confusion(Frozen):
    """A label that the teacher took for another.

    Attributes:
        label: The right one.
        taken_for: The teacher's answer.
        teacher: On how many items.
        repeated: On how many of these the student gave the same answer.
        student: On how many items in all the student took the one for the other.
    """

    label: str
    taken_for: str
    teacher: int
    repeated: int
    student: int


class Control(Frozen):
    """An encoder of the run that learnt the items' own labels, as what the student is compared with.

    Attributes:
        repeated: The share of the teacher's mistakes in which it gave the same wrong answer.
        interval: 95 % of the student's share minus this one, over groups; None where there is none.
    """

    system: str
    repeated: float
    interval: Interval | None


class Distilled(Frozen):
    """A student beside its teacher, on the items that both answered.

    Attributes:
        n: These items.
        labelled: The texts that the teacher was asked for the student.
        difference: The student's accuracy minus the teacher's.
        interval: 95 % of it, over groups; None where all items are one group.
        mistakes: Items on which the teacher is wrong.
        repeated: On how many of these the student gives the same wrong answer.
        corrected: On how many of these the student is right.
        added: Items on which the student alone is wrong.
        repeated_interval: 95 % of the share of mistakes that are repeated; None where there is none.
        by_chance: The share that would be repeated if what the student answers to items of a label had nothing to do
            with what the teacher answers to the very item; None without mistakes.
        control: None where no other encoder of the run learnt the items' own labels.
        confusions: The teacher's most frequent ones.
    """

    student: str
    teacher: str
    n: int
    labelled: int
    difference: float
    interval: Interval | None
    mistakes: int
    repeated: int
    corrected: int
    added: int
    repeated_interval: Interval | None
    by_chance: float | None
    control: Control | None
    confusions: tuple[Confusion, ...]

    @property
    def learnt_mistakes(self) -> bool:
        """Whether more mistakes are repeated than the control repeats, or without one than chance does."""
        if self.control is not None:
            return self.control.interval is not None and self.control.interval.low > 0
        span = self.repeated_interval
        return span is not None and self.by_chance is not None and span.low > self.by_chance


def measure_students(
    answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]
) -> tuple[Distilled, ...]:
    """Measure each student of an evaluation that answered an item which its teacher answered too.

    Args:
        answers: The answers, by system.
        descriptions: What each system is.
    """
    given = {name: one.predictions for name, one in answers.items()}
    found = (
        _measure(name, str(descriptions[name].labels_from), given, descriptions)
        for name in given
        if descriptions[name].labels_from in given
    )
    return tuple(one for one in found if one is not None)


def _measure(
    student: str, teacher: str, given: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]
) -> Distilled | None:
    ours, theirs = on_common_items([given[student], given[teacher]])
    if not len(ours):
        return None
    gained = ours.correct.astype(float) - theirs.correct
    wrong = ~theirs.correct
    repeated = wrong & (ours.choices == theirs.choices)
    span = share_interval(repeated[wrong], np.ones(wrong.sum()), ours.groups[wrong]) if wrong.any() else None
    return Distilled(
        student=student,
        teacher=teacher,
        n=len(ours),
        labelled=descriptions[student].train_items or 0,
        difference=float(gained.mean()),
        interval=paired_difference_interval(gained, np.ones(len(ours)), ours.groups),
        mistakes=int(wrong.sum()),
        repeated=int(repeated.sum()),
        corrected=int((wrong & ours.correct).sum()),
        added=int((~wrong & ~ours.correct).sum()),
        repeated_interval=span,
        by_chance=_by_chance(ours, theirs),
        control=_control(given, descriptions, student=student, teacher=teacher),
        confusions=_confusions(ours, theirs),
    )


def _by_chance(ours: Answers, theirs: Answers) -> float | None:
    """Return the expected share of repeated mistakes, the student's answers being drawn anew within each label."""
    wrong, expected = ~theirs.correct, 0.0
    for label in np.unique(theirs.targets[wrong]).tolist():
        own = theirs.targets == label
        mistaken, counts = np.unique(theirs.choices[own & wrong], return_counts=True)
        for choice, count in zip(mistaken.tolist(), counts.tolist(), strict=True):
            expected += count * float((ours.choices[own] == choice).mean())
    return expected / int(wrong.sum()) if wrong.any() else None


def _control(
    given: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription], *, student: str, teacher: str
) -> Control | None:
    """Return the encoder of the run that is most like the student, and learnt the items' own labels."""
    own = descriptions[student].finetune
    others = [
        name
        for name, one in given.items()
        if descriptions[name].kind == "finetune" and descriptions[name].labels_from is None and len(one)
    ]
    if not others:
        return None
    name = next((one for one in others if descriptions[one].finetune == own), others[0])
    ours, theirs, beside = on_common_items([given[student], given[teacher], given[name]])
    wrong = ~theirs.correct
    if not wrong.any():
        return None
    same = [(one.choices == theirs.choices)[wrong].astype(float) for one in (ours, beside)]
    interval = paired_difference_interval(same[0] - same[1], np.ones(wrong.sum()), ours.groups[wrong])
    return Control(system=name, repeated=float(same[1].mean()), interval=interval)


def _confusions(ours: Answers, theirs: Answers) -> tuple[Confusion, ...]:
    """Return the teacher's most frequent confusions, where all items have the same labels."""
    labels = theirs.shared_choices
    wrong = ~theirs.correct & (theirs.choices >= 0)
    if labels is None or not wrong.any():
        return ()
    pairs, counts = np.unique(np.stack([theirs.targets, theirs.choices])[:, wrong], axis=1, return_counts=True)
    found = []
    for place in np.argsort(-counts, kind="stable")[:MOST].tolist():
        label, choice = pairs[:, place].tolist()
        student = (ours.targets == label) & (ours.choices == choice)
        repeated = student & (theirs.choices == choice)
        found.append(
            Confusion(
                label=labels[label],
                taken_for=labels[choice],
                teacher=int(counts[place]),
                repeated=int(repeated.sum()),
                student=int(student.sum()),
            )
        )
    return tuple(found)
