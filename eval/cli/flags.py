"""The flags of each command, a function a command; `eval.cli.parser.COMMANDS` says which is whose.

An empty parser of a command in; the same with its arguments out. Nothing heavy is imported here: the help needs it.
"""

import argparse
from pathlib import Path

from data.card_options import TASK
from data.common.options import add_options, chosen
from eval.plan.settings.options import BATCHES, CALLS, ITEMS, SYSTEM, VERDICT


def add_list(listing: argparse.ArgumentParser) -> None:
    kinds = ["benchmarks", "chains", "models", "prompts", "retrievers", "suites", "systems"]
    listing.add_argument("kind", nargs="?", choices=kinds, help="one kind only")


def add_merge(merge: argparse.ArgumentParser) -> None:
    merge.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the folders of all shards, in any order")
    merge.add_argument("--out", type=Path, metavar="DIR", help="default: runs/NAME, then runs/NAME-2 …")


def add_rescore(rescore: argparse.ArgumentParser) -> None:
    rescore.add_argument("run", type=Path, metavar="RUN")


def add_compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("run", type=Path, metavar="RUN")
    compare.add_argument("other", type=Path, nargs="?", metavar="RUN", help="another run of the same items")
    page = "write both runs as one, with its page: the verdict, the costs, and every item side by side"
    compare.add_argument("--out", type=Path, metavar="DIR", help=page)


def add_report(report: argparse.ArgumentParser) -> None:
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    forms = "what to print; csv is every answer, a row for each item and system, and writes nothing again"
    report.add_argument("--format", choices=["text", "md", "html", "json", "csv"], default="text", help=forms)
    without = "leave the items' texts and all that was sent and said out of report.html, so that it can be shared"
    report.add_argument("--no-texts", dest="texts", action="store_false", help=without)


def add_show(show: argparse.ArgumentParser) -> None:
    show.add_argument("run", type=Path, metavar="RUN")
    item = show.add_argument("item", metavar="ITEM", help="its id, or the end of it; left out with --disagree")

    class InPlaceOfItem(argparse.Action):
        """An ITEM that may always be left out would not be found behind another flag."""

        def __call__(self, parser: object, namespace: argparse.Namespace, values: object, flag: object = None) -> None:
            item.required = False
            setattr(namespace, self.dest, values)

    differing = "the items to which these two systems give other answers, a line each"
    show.add_argument("--disagree", nargs=2, action=InPlaceOfItem, metavar=("A", "B"), help=differing)
    show.add_argument("--limit", type=int, default=20, metavar="N", help="of --disagree, the first N; default: 20")


def add_langsmith(langsmith: argparse.ArgumentParser) -> None:
    langsmith.add_argument("run", type=Path, metavar="RUN")
    named = "the dataset's name; default: where it was sent before, or BENCHMARK-SPLIT"
    langsmith.add_argument("--dataset", metavar="NAME", help=named)


def add_mlflow(mlflow: argparse.ArgumentParser) -> None:
    mlflow.add_argument("run", type=Path, metavar="RUN")
    mlflow.add_argument("--experiment", metavar="NAME", help="the experiment there; default: the run's name")


def add_calibrate(calibrate: argparse.ArgumentParser) -> None:
    calibrate.add_argument("run", type=Path, metavar="RUN")
    other = "a run of the same systems over other items, to fit the temperatures on"
    calibrate.add_argument("--fit", type=Path, required=True, metavar="FIT_RUN", help=other)


def add_cache(cache: argparse.ArgumentParser) -> None:
    cache.add_argument("action", choices=["stats", "clear"], help="count the replies, or remove them all")


def add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "target",
        metavar="SUITE|BENCHMARK",
        help="a suite, a suite's YAML file, a benchmark, a labelled file (CSV …), its card, or hf:ORG/NAME",
    )
    system = run.add_argument_group("the system, for a benchmark (one of --chain, --checkpoint, --baseline)")
    add_options(system, SYSTEM)
    add_options(run.add_argument_group("the items"), ITEMS)
    add_options(run.add_argument_group("a labelled file of your own: what is not said is guessed, and printed"), TASK)
    add_options(run.add_argument_group("the verdict"), VERDICT)
    going = run.add_argument_group("the run")
    going.add_argument("--seed", type=int, metavar="S")
    going.add_argument("--max-concurrency", type=int, default=8, metavar="C", help="calls in flight; default: 8")
    most = "stop when more than N items, or N%% of them, have failed"
    going.add_argument("--max-errors", metavar="N|N%", help=most)
    where = going.add_mutually_exclusive_group()
    where.add_argument("--out", type=Path, metavar="DIR", help="default: runs/NAME, then runs/NAME-2 …")
    where.add_argument("--resume", type=Path, metavar="DIR", help="ask only what is missing or failed")
    again = "with --resume, ask again what failed (default), or leave it"
    going.add_argument("--retry-errors", action=argparse.BooleanOptionalAction, default=True, help=again)
    part = "ask one part of the items, of whole groups, as one of several machines; join them with eval merge"
    going.add_argument("--shard", metavar="N/OF", help=part)
    _add_langsmith(going)
    _add_quiet(going)
    going.add_argument("--dry-run", action="store_true", help="print the first prompt, tokens and cost; call nothing")
    _add_calls(run)
    add_options(run.add_argument_group("batch APIs of providers, see docs/batch-api.md"), BATCHES)


def _add_langsmith(going: argparse._ArgumentGroup) -> None:
    shown = "show the run in LangSmith: its items as this dataset, each system as an experiment with scores"
    going.add_argument("--langsmith-dataset", metavar="NAME", help=shown)


def _add_quiet(going: argparse._ArgumentGroup) -> None:
    only = "print nothing but the verdict, or the scores of one system, and errors"
    going.add_argument("--quiet", action="store_true", help=only)


def _add_calls(parser: argparse.ArgumentParser) -> None:
    calls = parser.add_argument_group("calls of models that are asked over a network")
    add_options(calls, CALLS)
    kept = "take replies from the response cache, and keep them there: what was asked before costs nothing"
    calls.add_argument("--cache", action="store_true", help=kept)
    calls.add_argument("--cache-sampled", action="store_true", help="--cache, also for replies that are sampled")


def add_decide(decide: argparse.ArgumentParser) -> None:
    decide.add_argument(
        "target", metavar="FILE", help="a labelled file (CSV …), a folder with train and test, a card, or hf:ORG/NAME"
    )
    decide.add_argument(
        "--model", nargs="+", action="extend", metavar="SPEC", help="chat models to ask; default: smollm2"
    )
    decide.add_argument("--encoder", metavar="M", help="what is fine-tuned: minilm, a hub id or a folder")
    about = "about how long it may take on this machine; default: 15"
    decide.add_argument("--minutes", type=float, default=15.0, metavar="M", help=about)
    decide.add_argument("--yes", action="store_true", help="do not ask before time and money are spent")
    add_options(decide.add_argument_group("the file: what is not said is guessed, and printed"), TASK)
    add_options(decide.add_argument_group("the verdict"), VERDICT)
    going = decide.add_argument_group("the run")
    going.add_argument("--seed", type=int, metavar="S")
    going.add_argument("--out", type=Path, metavar="DIR", help="default: runs/NAME.decide")
    _add_langsmith(going)
    _add_quiet(going)
    going.add_argument("--max-concurrency", type=int, default=8, metavar="C", help="calls in flight; default: 8")
    _add_calls(decide)


def add_label(label: argparse.ArgumentParser) -> None:
    about = "rows (CSV, TSV, JSON Lines, Parquet, Excel), or folders of such files"
    label.add_argument("files", type=Path, nargs="+", metavar="FILE", help=about)
    who = label.add_argument_group("who labels")
    who.add_argument("--system", metavar="RUN/NAME", help="a system of a run, such as runs/tickets.decide/tfidf")
    who.add_argument("--checkpoint", metavar="DIR", help="a fine-tuned encoder")
    who.add_argument("--suite", metavar="FILE", help="a suite that has not run; --system says which of its systems")
    rows = label.add_argument_group("the rows")
    rows.add_argument("--text", nargs="+", metavar="COLUMN", help="the columns of the texts, or NAME=COLUMN for each")
    rows.add_argument(
        "--columns", nargs="+", metavar="NAME", help="the names of all columns of a file without a header"
    )
    rows.add_argument("--encoding", metavar="E", help="how the file is encoded, such as cp949")
    going = label.add_argument_group("what comes out")
    going.add_argument("--out", type=Path, metavar="FILE", help="csv, tsv, jsonl or parquet; default: FILE.labelled")
    promise = "rows whose label is not promised right so often go to OUT.review too; default: 0.95"
    going.add_argument("--promise", type=float, default=0.95, metavar="P", help=promise)
    below = "rows whose confidence is below P go there, whatever is promised"
    going.add_argument("--review-below", type=float, metavar="P", help=below)
    going.add_argument("--max-concurrency", type=int, default=8, metavar="C", help="calls in flight; default: 8")
    most = "stop when more than N rows, or N%% of them, have failed"
    going.add_argument("--max-errors", metavar="N|N%", help=most)
    _add_calls(label)


def add_audit(audit: argparse.ArgumentParser) -> None:
    audit.add_argument(
        "target", metavar="FILE", help="a labelled file (CSV …), a folder with train and test, or a card"
    )
    how = "who reads the rows: sentence embeddings (default), word counts, or the mean of both"
    audit.add_argument("--learner", choices=["nearest", "tfidf", "both"], default="nearest", help=how)
    add_options(audit, chosen(SYSTEM, "embeddings"))
    audit.add_argument("--top", type=int, default=20, metavar="N", help="doubtful rows to print; default: 20")
    audit.add_argument("--seed", type=int, default=0, metavar="S")
    audit.add_argument("--out", type=Path, metavar="CSV", help="where every row goes; default: runs/NAME.labels.csv")
    add_options(audit.add_argument_group("the file: what is not said is guessed, and printed"), TASK)


def add_prompts(prompts: argparse.ArgumentParser) -> None:
    prompts.add_argument(
        "target", metavar="FILE", help="a labelled file (CSV …), a folder with train and test, a card, or hf:ORG/NAME"
    )
    prompts.add_argument("--model", required=True, metavar="SPEC", help="the chat model that answers, and that rewords")
    prompts.add_argument("--trials", type=int, default=12, metavar="N", help="changes that are tried; default: 12")
    most = "training items that candidates are compared on; default: 100"
    prompts.add_argument("--held-out", type=int, default=100, metavar="N", help=most)
    add_options(prompts.add_argument_group("the file: what is not said is guessed, and printed"), TASK)
    going = prompts.add_argument_group("the runs")
    going.add_argument("--seed", type=int, metavar="S")
    going.add_argument("--out", type=Path, metavar="DIR", help="default: runs/NAME.prompts")
    going.add_argument("--max-concurrency", type=int, default=8, metavar="C", help="calls in flight; default: 8")
    _add_calls(prompts)


def add_import(recorded: argparse.ArgumentParser) -> None:
    rows = "a log of lm-evaluation-harness, inspect-ai, promptfoo, an OpenAI batch or a LangSmith experiment, which "
    rows += "holds its items (see docs/logs.md); "
    rows += (
        'or a system each: rows of {"id": ITEM, "output": TEXT} as .jsonl, .json or .tsv; its name is the system\'s. '
    )
    rows += 'An output of null is a reply without text. Where known also "finish_reason" ("length": cut off), '
    rows += '"reasoning", "prompt" (numbers of labels are read only where it numbers them), "input_tokens", '
    rows += '"output_tokens", "latency_s"'
    recorded.add_argument("files", type=Path, nargs="+", metavar="FILE", help=rows)
    whose = "whose items were asked: a benchmark or a labelled file; needed where the files do not hold them"
    recorded.add_argument("--benchmark", metavar="B", help=whose)
    add_options(recorded, (*chosen(ITEMS, "split", "data", "skip_bad_rows"), *chosen(TASK, "answers_from")))
    recorded.add_argument("--out", type=Path, metavar="DIR", help="default: runs/NAME.imported")


def add_retrieval(retrieval: argparse.ArgumentParser) -> None:
    retrieval.add_argument(
        "name", metavar="NAME", help="korquad, kice (queries with choices), kice-question (without) or jsonl"
    )
    retrieval.add_argument(
        "--retriever", required=True, nargs="+", metavar="R", help="such as hybrid+rerank; several are compared"
    )
    add_options(retrieval, chosen(SYSTEM, "embeddings", "user_words"))
    chunked = "search chunks of passages, or whole ones (default: chunks for kice)"
    retrieval.add_argument("--chunk", action=argparse.BooleanOptionalAction, help=chunked)
    retrieval.add_argument("-k", type=int, default=10, metavar="K")
    retrieval.add_argument("--data", type=Path, metavar="PATH", help="the file or folder of the set")
