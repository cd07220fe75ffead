"""Label scoring against lm-evaluation-harness: `python -m benches harness [--sets mnli,kice] [--items N] [--dtype D]`.

Both sides score the same rendered prompts and labels with the same weights and dtype on the CPU, with as many threads,
in turns; loading is not timed, tokenization is on both sides, rendering only on ours. The harness runs as its users
run it: its `hf` model, `loglikelihood` over all requests at once, in an environment of its own.

The harness moves the white space that ends a prompt into the continuation, so it scores the template's last newline
with each label. That adds the same to all labels of an item, and log-probabilities are compared among an item's labels.
"Of the limit" is the share of our time that the model's operations take as plain matrix products (`benches.limit`).
Where the best labels differ, a second table shows by how little, and what float32 says: bfloat16 keeps 8 bits.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from benches.agreement import Agreement, best_label, compare_scores, lead
from benches.environments import peer_python, same_release
from benches.items import bench_items
from benches.limit import count_work, share_of_limit
from benches.table import RUNS, Timed, count, in_turns, markdown_table, median_seconds, progress, timed, versions_line
from data.common.errors import ConfigurationError, MissingResourceError

HARNESS = "0.4.13"
WORKER = Path(__file__).parent / "peers" / "harness_worker.py"
# Items asked unless --items says otherwise, and rows of the harness's batch: a long prompt fills the caches alone.
ITEMS = {"mnli": 1000, "kice": None, "banking77": 4}
BATCH_SIZES = {"mnli": 16, "kice": 1, "banking77": 8}
SHOWN = 20
Scores = list[list[float]]


class Questions(NamedTuple):
    """A set as both sides are asked it.

    Attributes:
        title: What the table calls the set.
        ids: (n,) of the items.
        conversations: (n,) as ours is given them.
        labels: (n, n_labels of the item).
        requests: (n * n_labels,) pairs of the rendered prompt and a label, as the harness is given them.
    """

    title: str
    ids: list[str]
    conversations: list[Any]
    labels: list[list[str]]
    requests: list[tuple[str, str]]


def main(arguments: Sequence[str] = ()) -> None:
    """Print the tables."""
    options = _options(arguments)
    from chains.local.chat_model import LocalChatModel

    model = LocalChatModel(model_ref="smollm2", dtype=options.dtype, device="cpu")
    weights = model.load().source
    python = peer_python(
        f"lm-eval-{HARNESS}", [f"lm-eval[hf]=={HARNESS}", same_release("torch"), same_release("transformers")]
    )
    rows, found = [], []
    versions: dict[str, str] = {}
    for name in options.sets:
        questions = _questions(model, name, options.items or ITEMS[name])
        batch_size = options.batch_size or BATCH_SIZES[name]
        with harness_worker(python, settings=_settings(options, weights, batch_size)) as worker:
            row, agreement, versions = _compare(model, questions, worker, runs=options.runs)
        rows.append([questions.title, *row, str(batch_size)])
        found += disagreement_rows(agreement, questions, exact_scores(agreement, questions))
    peers = {f"the harness's {package}": number for package, number in versions.items()}
    print(f"SmolLM2-135M label scoring, {options.dtype}, median of {options.runs}; ", end="")
    print(versions_line(["torch", "transformers"], peers) + "\n")
    columns = ["items", "n", "ours, items/s", "harness, items/s", "ratio", "ours of the limit", "same best label"]
    print(markdown_table([*columns, "ties, ours / harness", "largest difference, nats", "harness's batch"], rows))
    if found:
        print(f"\nItems with different best labels (at most {SHOWN} a set), and by how much each side's best leads:\n")
        leads = ["ours leads by", "harness leads by", "float32 leads by"]
        print(markdown_table(["item", "ours", "harness", "ours in float32", *leads], found))


@contextmanager
def harness_worker(python: Path, *, settings: dict[str, Any]) -> Iterator["Worker"]:
    """Start the harness in its environment, wait until its model is loaded, and end it afterwards."""
    command = [str(python), str(WORKER), json.dumps(settings)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Worker(process.stdin, process.stdout, Path(folder) / "requests.json")
        finally:
            if not process.stdin.closed:
                process.stdin.close()  # the worker ends where its questions do


class Worker:
    """The harness on the other end of a pipe."""

    def __init__(self, questions: IO[str], answers: IO[str], file: Path) -> None:
        self._questions, self._answers, self._file = questions, answers, file
        self.versions: dict[str, str] = self._next()["versions"]

    def score(self, requests: Sequence[tuple[str, str]]) -> Timed[list[float]]:
        """Return the log-likelihood of each continuation behind its context, and the harness's own time for them."""
        self._file.write_text(json.dumps(requests), encoding="utf-8")
        print(self._file, file=self._questions, flush=True)
        answer = self._next()
        return Timed(answer["seconds"], answer["logprobs"])

    def _next(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise MissingResourceError("lm-evaluation-harness ended before it answered; see its messages above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def requests_of(texts: Sequence[str], labels: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Pair each prompt with each of its labels."""
    return [(text, label) for text, options in zip(texts, labels, strict=True) for label in options]


def by_item(flat: Sequence[float], labels: Sequence[Sequence[str]]) -> Scores:
    """Undo `requests_of` for its scores: one row an item."""
    rest = iter(flat)
    return [[next(rest) for _ in options] for options in labels]


def disagreement_rows(agreement: Agreement, questions: Questions, exact: Scores) -> list[list[str]]:
    """Return a row of cells for each of the first items with different best labels.

    Args:
        agreement: How far the two sides agree.
        questions: What they were asked.
        exact: Scores in float32 of the disagreements' items, as many as are shown.
    """
    return [
        [
            questions.ids[one.item],
            *(questions.labels[one.item][label] for label in (*one.best, best_label(scores))),
            *(f"{gap:.4f}" for gap in (*one.gaps, lead(scores))),
        ]
        for one, scores in zip(agreement.disagreements, exact, strict=False)
    ]


def exact_scores(agreement: Agreement, questions: Questions) -> Scores:
    """Score the first items with different best labels in float32, where rounding decides nothing."""
    from chains.local.chat_model import LocalChatModel

    shown = [one.item for one in agreement.disagreements[:SHOWN]]
    if not shown:
        return []
    model = LocalChatModel(model_ref="smollm2", dtype="float32", device="cpu")
    scored = model.score([questions.conversations[i] for i in shown], [questions.labels[i] for i in shown])
    return [list(scores.logprobs) for scores in scored]


def _compare(
    model: Any, questions: Questions, worker: Worker, *, runs: int
) -> tuple[list[str], Agreement, dict[str, str]]:
    loaded = model.load()

    def score() -> Scores:
        return [list(scores.logprobs) for scores in model.score(questions.conversations, questions.labels)]

    # The first pass of a process is slow on either side, and is not what is compared.
    model.score(questions.conversations[:1], questions.labels[:1])
    worker.score(questions.requests[:1])
    mine, theirs = in_turns(questions.title, lambda: timed(score), lambda: worker.score(questions.requests), runs=runs)
    agreement = compare_scores(mine[-1].answer, by_item(theirs[-1].answer, questions.labels))
    n, fast, slow = len(questions.ids), median_seconds(mine), median_seconds(theirs)
    row = [
        f"{n}",
        f"{n / fast:.3g}",
        f"{n / slow:.3g}",
        f"{slow / fast:.1f} x",
        share_of_limit(count_work(score, loaded.model), loaded.dtype, fast),
        f"{100 * agreement.n_same / n:.1f} %",
        f"{agreement.ties[0]} / {agreement.ties[1]}",
        f"{agreement.largest_difference:.1e}",
    ]
    return row, agreement, worker.versions


def _questions(model: Any, name: str, limit: int | None) -> Questions:
    """Render a set's items, leaving out those that do not fit the model's context: the harness would cut them."""
    from benches.label_scoring import prompts_of
    from chains.local.encoding import ContextLengthError, encode_labels, render

    title, items = bench_items(name, limit)
    loaded = model.load()
    kept = Questions(title, [], [], [], [])
    for item, conversation, labels in zip(items, *prompts_of(items), strict=True):
        text = render(loaded, conversation, {})
        try:
            encode_labels(loaded, text, labels)
        except ContextLengthError:
            continue
        kept.ids.append(item.id)
        kept.conversations.append(conversation)
        kept.labels.append(list(labels))
        kept.requests.extend(requests_of([text], [labels]))
    progress(f"{title}: {len(kept.ids)} of {len(items)} items fit the model's context")
    if not kept.ids:
        raise ConfigurationError(f"no item of {title} fits the model's context; ask other --sets or more --items")
    return kept


def _settings(options: argparse.Namespace, weights: str, batch_size: int) -> dict[str, Any]:
    import torch

    return {
        "weights": weights,
        "dtype": options.dtype,
        "softmax_dtype": None if options.softmax_dtype == "as-is" else options.softmax_dtype,
        "threads": torch.get_num_threads(),
        "batch_size": batch_size,
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches harness", description=str(__doc__).split("\n")[0])
    parser.add_argument("--sets", default="mnli,kice", help=f"comma-separated, of: {', '.join(ITEMS)}")
    parser.add_argument(
        "--items", type=count, help="first items of each set (default: 1000 of mnli, the whole exam, 8 of banking77)"
    )
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--batch-size", type=count, help=f"of the harness (default: {BATCH_SIZES})")
    parser.add_argument(
        "--softmax-dtype",
        default="as-is",
        choices=("as-is", "float32"),
        help="in what the harness takes log-probabilities; as-is is its own default, the model's dtype",
    )
    parser.add_argument("--runs", type=count, default=RUNS)
    options = parser.parse_args(list(arguments))
    options.sets = options.sets.split(",")
    for name in options.sets:
        if name not in ITEMS:
            raise ConfigurationError(f"unknown set '{name}'. Allowed: {', '.join(ITEMS)}")
    return options
