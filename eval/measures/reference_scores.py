"""What a score is held against without running anything: constant answers from the key, and what others published.

The answers of an evaluation in, `ConstantScore`s and `PublishedPoint`s out. Published figures are data
(`reference_points.yaml`), each with its source; they are shown as not measured here.
"""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from data.common.errors import ConfigurationError, first_fault
from data.common.parsing import read_yaml
from data.types import Frozen
from eval.measures.answers import Answers

REFERENCE_POINTS = Path(__file__).with_name("reference_points.yaml")


class ConstantScore(Frozen):
    """What answering every item with one choice scores.

    Attributes:
        choice: 0-based.
        points: Item weights earned, of `points_possible`.
    """

    choice: int
    correct: int
    accuracy: float
    points: float
    points_possible: float


class PublishedPoint(Frozen):
    """A figure that others published; not measured here.

    Attributes:
        items: How the ids of the items begin that it is about, such as "kice/2023-11".
        system: What scored it, or which grade it is the cut-off of.
        n_items: How many items a run must have asked to be held against an accuracy: all of the split. None for points,
            which say themselves whether they are of the whole exam.
        score: The score, in `unit`.
        unit: Points of the whole exam, or accuracy in percent.
        kind: A system's score, or the fewest points of a grade (등급컷).
        source: Publication, and the place in it.
        date: When it was read there.
    """

    items: str
    system: str
    n_items: int | None = None
    score: float
    unit: Literal["points", "percent"] = "points"
    kind: Literal["score", "grade_cut"] = "score"
    source: str
    url: str
    date: str


class ReferenceScores(Frozen):
    """Both, of one evaluation; empty in an older run's summary."""

    constants: tuple[ConstantScore, ...] = ()
    published: tuple[PublishedPoint, ...] = ()


def reference_scores(answers: Collection[Answers]) -> ReferenceScores:
    """Find what the scores of an evaluation are held against.

    Args:
        answers: The answers of all its systems.
    """
    return ReferenceScores(constants=constant_scores(answers), published=published_for(answers))


def constant_scores(answers: Collection[Answers]) -> tuple[ConstantScore, ...]:
    """Score every constant answer by the key of the items that any system answered; empty without any.

    Args:
        answers: The answers of all systems of one evaluation.
    """
    places = _answered_items(answers)
    if not len(places):
        return ()
    items = next(iter(answers)).items
    targets, weights = items.targets[places], items.weights[places]
    return tuple(
        ConstantScore(
            choice=choice,
            correct=int((targets == choice).sum()),
            accuracy=float((targets == choice).mean()),
            points=float(weights[targets == choice].sum()),
            points_possible=float(weights.sum()),
        )
        for choice in range(items.n_choices.max())
    )


def published_for(answers: Collection[Answers]) -> tuple[PublishedPoint, ...]:
    """Return the published figures about these items, the highest first; none where items of two sources are mixed."""
    places = _answered_items(answers).tolist()
    origins = {one.items.ids[place].rpartition("/")[0] for one in [*answers][:1] for place in places}
    if len(origins) != 1:
        return ()
    found = [point for point in published_points() if point.items in origins]
    return tuple(sorted(found, key=lambda point: -point.score))


def _answered_items(answers: Collection[Answers]) -> np.ndarray:
    """Return the places of the items that any system has a prediction for."""
    places = [one.predictions.rows["item"] for one in answers]
    return np.unique(np.concatenate(places)) if places else np.array([], dtype=np.int64)


@cache
def published_points() -> tuple[PublishedPoint, ...]:
    """Read all published figures.

    Raises:
        ConfigurationError: The file is damaged.
    """
    from pydantic import ValidationError

    content = read_yaml(REFERENCE_POINTS, kind="reference points").content
    try:
        return tuple(PublishedPoint.model_validate(row) for row in content["points"])
    except (TypeError, KeyError) as error:
        raise ConfigurationError(f"{REFERENCE_POINTS} has no list 'points'") from error
    except ValidationError as error:
        raise ConfigurationError(f"{REFERENCE_POINTS}: {first_fault(error)}") from None
