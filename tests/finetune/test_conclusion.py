"""The sentences that a training comes to."""

import pytest

from finetune.conclusion import conclude


def card_of(confusion: list[list[int]], interval: list[float]) -> dict:
    n, names = sum(map(sum, confusion)), ["a", "b"]
    right = sum(row[place] for place, row in enumerate(confusion)) / n
    classes = [
        {"name": name, "recall": row[place] / sum(row), "precision": 0.5, "f1": row[place], "support": sum(row)}
        for place, (name, row) in enumerate(zip(names, confusion, strict=True))
    ]
    report = {
        "n": n,
        "labels": names,
        "accuracy": right,
        "confusion": confusion,
        "intervals": {"accuracy": interval},
        "per_class": classes,
    }
    metrics = {"initial": {"accuracy": 0.5}, "final": {"accuracy": right}}
    return {"report": report, "metrics": metrics, "best_step": None, "steps": 30, "wall_s": 12.0}


def losses(*values: float) -> list[dict]:
    return [{"event": "evaluation", "step": 10 * place, "loss": loss} for place, loss in enumerate(values)]


@pytest.mark.parametrize(
    ("confusion", "interval", "said"),
    [
        ([[50, 10], [4, 36]], [0.78, 0.92], "larger than chance"),
        ([[50, 10], [30, 10]], [0.50, 0.69], "Nothing shows that it is better than the commonest label"),
    ],
)
def test_it_says_whether_the_commonest_label_is_beaten_beyond_chance(confusion, interval, said) -> None:
    sentences = " ".join(conclude(card_of(confusion, interval), losses(1.0, 0.5)))
    assert said in sentences
    assert "always answering 'a' would be right on 60.0 %" in sentences


def test_it_names_the_commonest_confusion_and_the_weakest_label() -> None:
    sentences = " ".join(conclude(card_of([[50, 10], [15, 25]], [0.6, 0.8]), losses(1.0, 0.5)))
    assert "'b' for 'a': 15 of 40 items" in sentences
    assert "weakest label is 'b': it finds 62.5 %" in sentences


@pytest.mark.parametrize(
    ("course", "said"),
    [
        ((1.0, 0.8, 0.6), "more epochs may help"),
        ((1.0, 0.6, 0.6), "level at the end"),
        ((1.0, 0.6, 0.9), "lowest at step 10"),
    ],
)
def test_it_says_what_more_steps_would_do(course: tuple[float, ...], said: str) -> None:
    assert said in " ".join(conclude(card_of([[5, 1], [1, 5]], [0.6, 0.9]), losses(*course)))
