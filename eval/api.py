"""Evaluations in a script or a notebook: what `python -m eval run`, `compare` and `report` do, as functions.

    from eval.api import evaluate

    run = evaluate("mnli", {"words": {"baseline": "tfidf"}, "mine": prompt | model}, split="sample")
    print(run)                  # the table that the command prints
    run.frame()                 # a pandas row for each item and system
    run.compare()               # the paired differences
    run.summary.conclusion      # the sentences
    run.label(["…"], system="words")

A benchmark's name, items or a suite come in, and the systems that answer; out comes a run: its folder, and what can be
read out of it. The command line is made of the same functions. Heavy libraries are imported where they are used.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from data.common.errors import ConfigurationError
from data.common.language import Language, language
from data.common.progress import log
from data.types import Item, Prediction
from eval.plan.settings.call_policy import CallPolicy, check_policy
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.plan.suite import load_suite, names_suite
from eval.rundir.names import new_run_dir

if TYPE_CHECKING:
    from pandas import DataFrame

    from eval.execution.runner import Outcome
    from eval.measures.differences import Comparison
    from eval.plan.own_parts import OwnParts, OwnSystems
    from eval.plan.planning import Plan
    from eval.report import ReportPaths
    from eval.report.summary import Summary
    from eval.rundir.shard import ShardNumber

__all__ = [
    "CallPolicy",
    "EvaluationSpec",
    "Item",
    "Prediction",
    "Run",
    "Suite",
    "SystemSpec",
    "compare",
    "evaluate",
    "load_run",
    "load_suite",
    "merge",
]


@dataclass(frozen=True)
class Run:
    """A run's folder, and what can be read out of it.

    Attributes:
        path: The folder; it holds the reports too, as summary.json, report.md and report.html.
        outcome: How the run ended; None for one that was loaded.
        reports: The reports that were written with it; None for one that was loaded.
    """

    path: Path
    outcome: "Outcome | None" = None
    reports: "ReportPaths | None" = None

    @cached_property
    def summary(self) -> "Summary":
        """Scores with their intervals, differences, costs and conclusions, of each evaluation and system."""
        from eval.report.summary import read_summary, summarize

        return summarize(self.path) if self.reports is None else read_summary(self.reports.summary)

    def frame(self) -> "DataFrame":
        """Return a row for each item and system: what was right, what was answered, how long it took, what it cost.

        The columns are those of `eval report --format csv`, see docs/answers-table.md; a missing value is pandas' NA.
        """
        from pandas import DataFrame

        from eval.report.render.csv import csv_rows

        columns, *rows = csv_rows([self.path])
        return DataFrame(rows, columns=list(columns)).convert_dtypes()

    def compare(self, other: "Run | Path | str | None" = None) -> "tuple[Comparison, ...]":
        """Compare the run's systems with one another, or with those of another run: see `compare`."""
        return compare(self, other)

    def label(self, texts: Sequence[str | Mapping[str, str]], *, system: str) -> list[str | None]:
        """Label new texts with a system of the run, such as the one that the verdict says to take.

        What learns is fitted again on the same items, an encoder that the run trained is loaded, a model is asked.

        Args:
            texts: Each a text, or where the task's items have several, the texts by their names.
            system: Its name in the run.

        Returns:
            A label for each text; None where the answer names none.

        Raises:
            ConfigurationError: There is no such system, it labels no texts, or its data has changed since the run.
            MissingResourceError: A file, a key or a model is not there any more.
        """
        from eval.plan.labellers import labeller_of_run

        return labeller_of_run(self.path, system).label(texts)

    def write_reports(self, *, lang: str = "en", texts: bool = True) -> "Run":
        """Write the reports again from the journals, and return the run with them.

        Args:
            lang: The language of the sentences and headings, one of `data.common.language.LANGUAGES`.
            texts: Whether the page holds the items' texts and all that was sent and said; without, it can be shared.
        """
        from eval.report import write_report

        return Run(self.path, self.outcome, write_report(self.path, lang=lang, texts=texts))

    def __str__(self) -> str:
        """Return the table that the command prints."""
        from eval.report.render.terminal import terminal_table

        return terminal_table(self.summary)


def load_run(path: Path | str) -> Run:
    """Return a run that was made before, by whichever way.

    Raises:
        MissingResourceError: The folder is no run.
        ConfigurationError: Its manifest is damaged.
    """
    from eval.rundir.manifest import read_manifest

    read_manifest(Path(path))
    return Run(Path(path))


def compare(run: Run | Path | str, other: Run | Path | str | None = None) -> "tuple[Comparison, ...]":
    """Compare the systems of a run, or those of two runs over the same items: paired, with interval and p-value.

    Raises:
        MissingResourceError: A folder is no run.
        ConfigurationError: There are no two systems with answers to the same items.
    """
    from eval.measures.differences import compare as compare_answers
    from eval.measures.run_answers import read_answers

    return compare_answers(read_answers(_folder(run)), None if other is None else read_answers(_folder(other)))


def _folder(run: Run | Path | str) -> Path:
    return run.path if isinstance(run, Run) else Path(run)


def evaluate(
    suite_or_items: str | Path | Suite | Sequence[Item],
    systems: "OwnSystems | None" = None,
    *,
    benchmark: str | None = None,
    train: Sequence[Item] = (),
    split: str | None = None,
    data: Path | str | None = None,
    limit: int | None = None,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    retry_errors: bool = True,
    max_concurrency: int = 8,
    max_errors: int | float | None = None,
    policy: CallPolicy = CallPolicy(),  # noqa: B008  # immutable
    until_decided: bool = False,
    shard: str | None = None,
    langsmith_dataset: str | None = None,
    lang: str = "en",
) -> Run:
    """Have systems answer items, write the answers and the reports into a run's folder, and return the run.

    Args:
        suite_or_items: A suite, its name or its YAML file; or a benchmark's name, or items.
        systems: Who answers a benchmark or items, by name: the settings that a suite's entry would have, or a Runnable
            from an item's input to a Prediction, a message or a text, of which the last two are read for an answer.
            None with a suite, which has its own.
        benchmark: The benchmark that items are of, so that its chains answer them; None: they are your own.
        train: What systems that learn may learn from, where items are given.
        split: The split of the benchmark; None is its default split. None for items or a suite, as are `data` and
            `limit`.
        data: Where the benchmark's items are; None for its own place.
        limit: The first so many items.
        seed: Decides all that is drawn; a suite has its own.
        out: The run's folder; None: runs/NAME, or where that is taken runs/NAME-2 and so on.
        resume: Go on with the run in `out`: ask only what is missing or failed.
        retry_errors: Without it, `resume` leaves what failed as it is.
        max_concurrency: Calls in flight.
        max_errors: Stop when more items than this have failed: a count, or as a float a share; None: never.
        policy: How calls are made: retries, limits, the response cache, the most that the run may cost.
        until_decided: Ask all systems in step, and stop once each pair is decided; a suite may say so itself.
        shard: "3/16" asks the third of sixteen parts of the items, each of whole groups; see docs/shards.md.
        langsmith_dataset: Show the run in LangSmith: the items as a dataset of this name, each system as an experiment
            on it, with scores; see docs/langsmith.md.
        lang: The language of the reports.

    Raises:
        ProjectError: Something that the caller can mend, in one line; nothing was asked where it is about the suite.
        TooManyErrorsError: See `max_errors`.
        MaxCostError: The next call might cross the limit of `policy`.
        KeyboardInterrupt: What was answered is in the folder, and `resume` goes on.
    """
    from chains.models.providers import read_env_file
    from eval.execution.experiments.live import RunExperiments
    from eval.execution.runner import run
    from eval.execution.trace_client import TraceClient, traces_sent
    from eval.plan.own_parts import OwnParts, own_suite, refuse
    from eval.rundir.shard import read_shard

    read_env_file()  # keys, and LANGSMITH_* for traces
    evaluation = {"split": split, "data": data, "limit": limit}
    given = suite_or_items
    if isinstance(given, Suite) or (isinstance(given, str | Path) and names_suite(str(given))):
        refuse("a suite", systems=systems, benchmark=benchmark, train=train, seed=seed, **evaluation)
        suite, own = given if isinstance(given, Suite) else load_suite(str(given)), OwnParts()
    else:
        suite, own = own_suite(given, systems, benchmark=benchmark, train=train, seed=seed, evaluation=evaluation)
    if until_decided:
        suite = suite.model_copy(update={"until_decided": True})
    if resume and out is None:
        raise ConfigurationError("resume goes on with a run that there is; name its folder as out=…")
    if max_concurrency < 1:
        raise ConfigurationError(f"max_concurrency {max_concurrency} lets nothing run; give 1 or more")
    check_policy(policy)
    part = None if shard is None else read_shard(shard)
    run_dir = new_run_dir(f"{suite.name}{part.suffix if part else ''}") if out is None else Path(out)
    experiments = None if langsmith_dataset is None else RunExperiments(run_dir, langsmith_dataset)
    with traces_sent(experiments.traces if experiments else TraceClient):
        planned = _planned(suite, own, policy, part, language(lang))
        with experiments.opened(planned, resume=resume) if experiments else nullcontext():
            outcome = run(
                planned,
                run_dir,
                resume=resume,
                retry_errors=retry_errors,
                max_concurrency=max_concurrency,
                max_errors=max_errors,
                policy=policy,
            )
    done = Run(run_dir, outcome).write_reports(lang=lang)
    if experiments:
        experiments.send()
    return done


def merge(shards: Sequence[Path | str], out: Path | str | None = None, *, lang: str = "en") -> Run:
    """Join the shards of a run into the run that one machine would have made, and write its reports.

    Args:
        shards: The folders of all of them, in any order.
        out: The run's folder; None: runs/NAME, or where that is taken runs/NAME-2 and so on.
        lang: The language of the reports.

    Raises:
        MissingResourceError: A folder is no run.
        ConfigurationError: They are not all the shards of one run, each once and finished; or a file is damaged.
    """
    from eval.execution.merge import merge_shards, name_of_whole

    folders = [Path(shard) for shard in shards]
    run_dir = new_run_dir(name_of_whole(folders)) if out is None else Path(out)
    return Run(merge_shards(folders, run_dir)).write_reports(lang=lang)


def _planned(suite: Suite, own: "OwnParts", policy: CallPolicy, part: "ShardNumber | None", say: Language) -> "Plan":
    """Plan a suite, and say which differences so many items cannot show, before anything is paid for."""
    from eval.measures.power import brief_reach
    from eval.plan.planning import plan
    from eval.plan.shards import check_shardable, shard_of

    if part is not None:
        check_shardable(suite)
    planned = plan(suite, policy=policy, own=own)
    if part is not None:
        return shard_of(planned, part)  # so few items show little, and are not all
    fixed = [one for one in planned.evaluations if one.evaluation.largest_group is None]  # reach is of all items
    for one in fixed:
        line = brief_reach(one.evaluation.benchmark, n_items=len(one.items), n_systems=len(one.systems), say=say)
        if line:
            log(line)
    return planned
