"""What a training came to, in sentences: whether it learnt, what it confuses, and whether more steps would help."""

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.training_curves import Event

WORSE = 1.05  # an evaluation loss this many times the lowest one is a rise, and the reverse a fall


def conclude(card: Mapping[str, Any], events: Sequence[Event]) -> list[str]:
    """Return the conclusions of a training as sentences.

    Args:
        card: With `metrics`, `report` (as of `eval.measures.classification`, or empty), `data` and `wall_s`.
        events: The whole training log.
    """
    losses = [(e["step"], e["loss"]) for e in events if e["event"] == "evaluation" and e.get("loss") is not None]
    found = [*_accuracy(card), *_confusions(card["report"]), *_progress(losses, card["best_step"])]
    seconds, steps = card["wall_s"], card["steps"]
    return [*found, f"{steps:,} steps and the evaluations took {seconds:,.0f} s on this machine."]


def _accuracy(card: Mapping[str, Any]) -> list[str]:
    report, before = card["report"], card["metrics"]["initial"]["accuracy"]
    if not report:
        return [
            f"It is right on {_share(card['metrics']['final']['accuracy'])} of the items, before on {_share(before)}."
        ]
    totals = [sum(row) for row in report["confusion"]]
    commonest = max(range(len(totals)), key=totals.__getitem__)
    majority = totals[commonest] / report["n"]
    span = report["intervals"]["accuracy"]
    interval = f" (95 % interval {_share(span[0])} to {_share(span[1])})" if span else ""
    said = (
        f"It is right on {_share(report['accuracy'])} of {report['n']:,} items{interval}, before training on "
        f"{_share(before)}; always answering '{report['labels'][commonest]}' would be right on {_share(majority)}."
    )
    if span and span[0] > majority:
        return [said, "The difference is larger than chance on these items makes it."]
    return [
        said,
        "Nothing shows that it is better than the commonest label: it needs more items, steps or another rate.",
    ]


def _confusions(report: Mapping[str, Any]) -> list[str]:
    if not report:
        return []
    weakest = min((one for one in report["per_class"] if one["support"]), key=lambda one: one["f1"])
    said = [
        f"Its weakest label is '{weakest['name']}': it finds {_share(weakest['recall'])} of its "
        f"{weakest['support']} items (recall), and is right {_share(weakest['precision'])} of the times "
        "it names it (precision)."
    ]
    labels, confusion = report["labels"], report["confusion"]
    wrong = [(row[c], t, c) for t, row in enumerate(confusion) for c in range(len(row)) if t != c and row[c]]
    if wrong:
        count, target, choice = max(wrong, key=lambda one: one[0])
        total = sum(confusion[target])
        said.append(f"It most often takes '{labels[target]}' for '{labels[choice]}': {count} of {total} items.")
    return said


def _progress(losses: Sequence[tuple[int, float]], best_step: int | None) -> list[str]:
    """Say whether the evaluation loss still fell at the end, rose again or was level; nothing of fewer than three."""
    if len(losses) < 3:
        return []
    (_, before), (_, last) = losses[-2:]
    step, lowest = min(losses, key=lambda one: one[1])
    kept = f" The model of step {best_step} is kept." if best_step is not None else ""
    if last > lowest * WORSE:
        return [
            f"The evaluation loss was lowest at step {step:,} ({lowest:.3f}) and is {last:.3f} at the end: "
            f"the later steps made it too sure of itself. Train fewer epochs, or use --patience.{kept}"
        ]
    if last * WORSE < before:
        return [f"The evaluation loss still fell at the end, to {last:.3f}: more epochs may help.{kept}"]
    return [f"The evaluation loss is level at the end, at {last:.3f}: more epochs are unlikely to help.{kept}"]


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
