"""The table at the end of a report: what the run was made from and with."""

from data.common.language import ENGLISH, Language
from eval.report.figures import items_counted
from eval.report.section import Table
from eval.report.summary import Summary
from eval.rundir.priced_parts import machine_name


def provenance_table(summary: Summary, say: Language = ENGLISH) -> Table:
    """What the run was made from and with."""
    commit = summary.git_commit or say("unknown")
    rows = [
        (say("started"), summary.started_utc),
        (say("seed"), str(summary.seed)),
        (say("commit"), say("{commit} (with uncommitted changes)", commit=commit) if summary.git_dirty else commit),
    ]
    if summary.hardware:
        rows.append((say("machine"), machine_name(summary.hardware)))
    for evaluation in summary.evaluations:
        source = evaluation.data or say("the benchmark's own source")
        items = items_counted(evaluation.n_items, say)
        rows.append(
            (f"{evaluation.benchmark}, {evaluation.split}", say("{items} from {source}", items=items, source=source))
        )
        rows.append((say("{benchmark}, fingerprint", benchmark=evaluation.benchmark), evaluation.fingerprint))
    rows += [
        (say("version of {package}", package=package), version) for package, version in sorted(summary.versions.items())
    ]
    return Table("provenance", say("Provenance"), (say("What"), say("Value")), tuple(rows), text_columns=2)
