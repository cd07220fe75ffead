"""Doubtful labels of the items of a run: those on which systems that are right otherwise agree against the key.

Each system that is shown to be better than the best constant answer has a voice: its probabilities, brought by one
temperature to what they are worth, or where it gives none, how often it is right. Of systems that read the texts with
the same model only the most accurate has one, for they make the same mistakes. The mean of the voices is what confident
learning is given, and of the labels that it doubts those count on which two voices at least gave the same other answer.

The answers of an evaluation in, one `DoubtfulLabels` out.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers, Items
from eval.measures.confident_learning import class_thresholds, confident_classes, doubtful_labels
from eval.measures.metrics import NO_ANSWER
from eval.measures.probabilities import at, probabilities_of, rescaled
from eval.measures.reference_scores import constant_scores
from eval.measures.stats import share_interval
from eval.measures.temperature import fit_temperature
from eval.rundir.description import ROLES, SystemDescription, model_spec

LEAST_VOICES = 2
_MOST = 0.5  # the other answer is more probable than all the rest together
# Kinds of system whose answers are their own; those of a cascade, say, are those of its members.
_OWN_ANSWERS = frozenset(("baseline", *ROLES))


class DoubtfulLabel(Frozen):
    """An item whose label is doubtful.

    Attributes:
        key: 0-based place of the label that the item carries.
        answer: That of the one that the systems agree on.
        key_prob: What the voices give the label on average.
        answer_prob: What they give the other answer.
        systems: The voices that gave it.
    """

    item: str
    key: int
    answer: int
    key_prob: float
    answer_prob: float
    systems: tuple[str, ...]


class Explained(Frozen):
    """How much of a system's error rate doubtful labels could explain at most.

    Attributes:
        n: Items that it answered.
        wrong: How many of these are wrong by the key.
        doubtful: How many of these are to items whose label is doubtful.
    """

    system: str
    n: int
    wrong: int
    doubtful: int


class DoubtfulLabels(Frozen):
    """The doubtful labels of an evaluation.

    Attributes:
        voices: The systems that were heard.
        n: Items that at least two of them answered.
        labels: The most doubtful first.
        explained: What doubtful labels could explain, for every system that answered anything.
    """

    voices: tuple[str, ...]
    n: int
    labels: tuple[DoubtfulLabel, ...]
    explained: tuple[Explained, ...]


class _Panel(NamedTuple):
    """What the voices say of the items that at least two of them answered.

    Attributes:
        systems: (n_voices,) names.
        places: (n,) int, where the items are among those of the evaluation.
        labels: (n,) int, their keys.
        probs: (n, most choices) the mean of the voices.
        choices: (n_voices, n) int, NO_ANSWER where a voice says nothing.
    """

    systems: tuple[str, ...]
    places: np.ndarray
    labels: np.ndarray
    probs: np.ndarray
    choices: np.ndarray


def find_doubtful(
    answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]
) -> DoubtfulLabels | None:
    """Find the items on which systems that are right otherwise agree against the key.

    Args:
        answers: The answers of an evaluation, by system.
        descriptions: What each system is.

    Returns:
        None where fewer than two systems that read with different models have a voice: then nobody can agree.
    """
    heard = _heard(answers, descriptions)
    if len(heard) < LEAST_VOICES:
        return None
    panel, items = _panel([(name, answers[name]) for name in heard]), answers[heard[0]].items
    if not len(panel.places):
        return None
    doubted = _doubted(panel, shared=len(items.choice_lists) == 1)
    given = {name: one.predictions for name, one in answers.items() if len(one.predictions)}
    return DoubtfulLabels(
        voices=panel.systems,
        n=len(panel.places),
        labels=tuple(_label(panel, row, items) for row in doubted.tolist()),
        explained=tuple(_explained(name, one, panel.places[doubted]) for name, one in given.items()),
    )


def _panel(voices: Sequence[tuple[str, Answers]]) -> _Panel:
    items = voices[0][1].items
    total = np.zeros((len(items.ids), items.n_choices.max()))
    choices = np.full((len(voices), len(items.ids)), NO_ANSWER)
    for number, (_, answers) in enumerate(voices):
        total += _said(answers, choices[number])
    says = (choices != NO_ANSWER).sum(axis=0)
    places = np.flatnonzero(says >= LEAST_VOICES)
    probs = total[places] / says[places, None]
    return _Panel(tuple(name for name, _ in voices), places, items.targets[places], probs, choices[:, places])


def _doubted(panel: _Panel, *, shared: bool) -> np.ndarray:
    """Return the rows of the panel whose label is doubtful, (m,) int, the most doubtful first.

    Args:
        panel: What the voices say.
        shared: Whether all items have the same choices, so that a choice is a class.
    """
    labels, probs = panel.labels, panel.probs
    likeliest = probs.argmax(axis=1)
    of_key, of_likeliest = at(probs, labels), at(probs, likeliest)
    # Where each item has choices of its own, a place among them is no class: one threshold stands for all.
    thresholds = class_thresholds(labels, probs) if shared else np.full(probs.shape[1], of_key.mean())
    found = doubtful_labels(labels, probs, confident_classes(probs, thresholds))
    agreed = (panel.choices == likeliest).sum(axis=0) >= LEAST_VOICES
    rows = np.flatnonzero(found & agreed & (of_likeliest >= _MOST))
    ordered: np.ndarray = rows[np.argsort(of_key[rows], kind="stable")]
    return ordered


def _label(panel: _Panel, row: int, items: Items) -> DoubtfulLabel:
    key, answer = int(panel.labels[row]), int(panel.probs[row].argmax())
    return DoubtfulLabel(
        item=items.ids[panel.places[row]],
        key=key,
        answer=answer,
        key_prob=round(float(panel.probs[row, key]), 6),
        answer_prob=round(float(panel.probs[row, answer]), 6),
        systems=tuple(panel.systems[voice] for voice in np.flatnonzero(panel.choices[:, row] == answer)),
    )


def _heard(answers: Mapping[str, Answers], descriptions: Mapping[str, SystemDescription]) -> list[str]:
    """Return the systems that have a voice: of those that read with one model the most accurate."""
    constant = max((one.accuracy for one in constant_scores(answers.values())), default=0.0)
    best: dict[str, tuple[float, str]] = {}
    for name, one in answers.items():
        given, description = one.predictions, descriptions[name]
        if description.kind not in _OWN_ANSWERS or not len(given):
            continue
        interval = share_interval(given.correct, np.ones(len(given)), given.groups)
        if interval is None or interval.low <= constant:
            continue
        accuracy, reader = float(given.correct.mean()), _reader(name, description)
        if reader not in best or accuracy > best[reader][0]:
            best[reader] = accuracy, name
    return [name for _, name in best.values()]


def _reader(name: str, description: SystemDescription) -> str:
    """Name what a system reads the texts with: two that read with the same make the same mistakes."""
    model = (description.finetune or {}).get("model") if description.kind == "finetune" else model_spec(description)
    return str(description.embeddings or description.baseline or model or description.checkpoint or name)


def _said(answers: Answers, choices: np.ndarray) -> np.ndarray:
    """Return the probabilities that a system's answers are worth, (n_items, most choices); 0 where it says nothing.

    One figure for the whole system brings them there, on which a single item's key has hardly an influence: of its
    probabilities the temperature, and for an answer without any how often it is right.

    Args:
        answers: The answers of one system.
        choices: (n_items,) int, where its choices are written.
    """
    given, items = answers.take(answers.choices != NO_ANSWER), answers.items
    places, width, n_choices = given.rows["item"], items.n_choices.max(), given.n_choices[:, None]
    right = (given.correct.sum() + 1) / (len(given) + 2)  # Laplace's rule of succession
    probs = np.where(np.arange(width) < n_choices, (1 - right) / np.maximum(n_choices - 1, 1), 0.0)
    probs[np.arange(len(given)), given.choices] = right
    if (stated := probabilities_of(given)) is not None:
        scaled = rescaled(stated, fit_temperature(stated)).probs
        probs[given.rows["source"] >= 0] = np.pad(scaled, ((0, 0), (0, width - scaled.shape[1])))
    choices[places] = given.choices
    every = np.zeros((len(items.ids), width))
    every[places] = probs
    return every


def _explained(system: str, given: Answers, doubtful: np.ndarray) -> Explained:
    on_doubtful = np.isin(given.rows["item"], doubtful)
    wrong = ~given.correct
    return Explained(system=system, n=len(given), wrong=int(wrong.sum()), doubtful=int((wrong & on_doubtful).sum()))
