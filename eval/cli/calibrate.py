"""`python -m eval calibrate RUN --fit FIT_RUN`: what temperatures fitted on one run make of another's probabilities."""

import argparse
from typing import TYPE_CHECKING

from data.common.terminal import emit, emit_json

if TYPE_CHECKING:
    from eval.measures.temperature import Scaling, Scalings


def calibrate(options: argparse.Namespace) -> int:
    """Fit, measure, and print both."""
    from eval.measures.run_answers import read_answers
    from eval.measures.temperature import scale_run

    found = scale_run(read_answers(options.run), read_answers(options.fit))
    if options.json:
        emit_json(_as_data(found))
    else:
        emit(_as_text(found))
    return 0


def _as_data(found: "Scalings") -> dict[str, object]:
    return {"scalings": [one.model_dump(mode="json") for one in found.scalings], "left_out": list(found.left_out)}


def _as_text(found: "Scalings") -> str:
    from eval.report.figures import signed
    from eval.report.render.terminal import draw, wrap
    from eval.report.section import Table

    def change(before: float, after: float) -> str:
        return f"{before:.3f} → {after:.3f}"

    rows = tuple(
        (
            one.system,
            f"{one.temperature:.3g}",
            f"{one.n_fit:,} / {one.before.n:,}",
            change(one.before.brier, one.after.brier),
            change(one.before.log_loss, one.after.log_loss),
            change(one.before.ece, one.after.ece),
            f"{signed(one.before.overconfidence)} → {signed(one.after.overconfidence)}",
        )
        for one in found.scalings
    )
    columns = ("system", "T", "fit / run", "Brier", "log loss", "ECE", "conf. − acc.")
    parts = [draw(Table("temperature", "", columns, rows))]
    parts += [wrap(f"- {_sentence(one)}", indent="  ") for one in found.scalings]
    if found.left_out:
        parts.append(wrap(f"- without probabilities, left out: {', '.join(found.left_out)}", indent="  "))
    return "\n".join(parts)


def _sentence(one: "Scaling") -> str:
    kind = "more alike" if one.temperature > 1 else "further apart"
    gain = one.before.log_loss - one.after.log_loss
    moved = f"{'falls' if gain > 0 else 'rises'} by {abs(gain):.3f}" if abs(gain) >= 0.0005 else "stays as it is"
    end = "; it is at the end of what is searched, so the fit has no inner best" if one.at_the_end else ""
    return (
        f"{one.system}: a temperature of {one.temperature:.3g} makes its probabilities {kind}; "
        f"the log loss on this run {moved}{end}"
    )
