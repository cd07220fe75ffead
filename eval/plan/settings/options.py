"""What a suite or the command line can say of systems, items and calls: one row a setting, each declared here alone.

The flags of `python -m eval run`, its help, and the tables of docs/options.md are made of these rows. The values are
in `specs.py` and `call_policy.py` beside it, under the same names. The help needs this module: it is light.
"""

from pathlib import Path
from typing import Literal, get_args

from chains.registry import Rung
from data.common.options import Option
from eval.plan.settings.call_policy import ITEM_TIMEOUT_S, RETRIES

Answering = Literal["auto", "score", "score-mean", "score-pmi", "logprobs", "structured", "generate"]
TooLong = Literal["error", "truncate-passage"]
Permute = Literal["cyclic"]


SYSTEM = (
    Option("chain", "a chain, see: python -m eval list chains; or your own as module:attr", "C"),
    Option("model", "a chat model, such as smollm2, gpt, hf:DIR, endpoint:NAME@URL", "SPEC"),
    Option("prompt", "a prompt's id or a YAML file", "P"),
    Option(
        "answering",
        "score labels (by their mean per token, or beyond what they are without the prompt), or read generated text "
        "(logprobs: and ask the provider how likely each label was; structured: which the provider holds to one label)",
        choices=get_args(Answering),
        default="auto",
    ),
    Option(
        "too_long",
        "a prompt beyond a local model's context: an error, or its passage is shortened",
        choices=get_args(TooLong),
        default="error",
    ),
    Option("permute", "ask once for each rotation of the choices, and take the majority", choices=get_args(Permute)),
    Option("votes", "sample K replies, and take the majority", "K", int),
    Option("temperature", "0 decodes greedily; above it, replies are sampled", "T", float, default=0.0),
    Option("max_tokens", "the longest reply; default: what the prompt needs", "N", int),
    Option(
        "request",
        "fields of what the model is sent, over all others: seed=- leaves one out; the same in suites as a mapping",
        "NAME=VALUE",
        several=True,
    ),
    Option(
        "examples",
        "labelled examples in the prompt: similar ones, found by BM25, the same balanced or random ones, or all rows "
        "of a table of yours; how many after a colon (8); in a suite also {select, n, retriever, embeddings}",
        "similar[:N]|FILE",
    ),
    Option("candidates", "show only the N labels that the examples speak for most", "N", int),
    Option("retriever", "bm25, dense, hybrid …, with steps such as hybrid+rerank, or your own as module:attr", "R"),
    Option(
        "embeddings",
        "the embedding model of dense, hybrid and nearest; default: e5-small, or minilm for English texts of nearest",
        "E",
    ),
    Option("k", "chunks to retrieve", "K", int, default=4, flag="-k"),
    Option(
        "user_words",
        "words that BM25 is to know: a line each, WORD or WORD, TAG and SCORE apart by tabs",
        "FILE",
        Path,
    ),
    Option("checkpoint", "a fine-tuned encoder's folder or hub name", "DIR"),
    Option(
        "any_label_order",
        "report a checkpoint even where other label names fit its answers far better",
        kind=bool,
        default=False,
    ),
    Option("baseline", "what must be beaten, such as majority or tfidf; see: python -m eval list systems", "B"),
    Option("finetune", "train an encoder in the run: settings of python -m finetune train, as a mapping", flag="-"),
    Option(
        "labels_from",
        "what finetune learns in place of labels: what this other system of the evaluation answers, and how sure it is",
        flag="-",
    ),
    Option(
        "unlabelled",
        "the texts that it answers for that, a file with the columns of the items' texts; default: the training items, "
        "of a system that does not learn from them itself",
        "FILE",
        Path,
        flag="-",
    ),
    Option(
        "cascade",
        "other systems of the same evaluation: each answers what it is sure of, and passes the rest on to the next",
        flag="-",
    ),
    Option(
        "defer",
        "what a cascade passes on by: {accuracy: 0.95} is promised of what is answered before the last, {share: 0.2} "
        "is passed on at most, {cost: 0.001} is what a query costs at most, {threshold: 0.8} is a probability",
        flag="-",
    ),
    Option("name", "the system's name, and its folder in the run", flag="-"),
    Option(
        "rung",
        "what a chain of your own shows of an item, for the report's retrieval ladder; the project's chains say it "
        "themselves",
        choices=get_args(Rung),
        flag="-",
    ),
    Option("limit", "answers only the first N of the evaluation's items, as a slow system may", "N", int, flag="-"),
    Option("note", "what a reader must know to judge the scores; shown beside them", flag="-", default=""),
)

ITEMS = (
    Option("split", "which split of the benchmark is asked; default: its own", "S"),
    Option("data", "read the items from a file or folder of yours", "PATH", Path),
    Option("skip_bad_rows", "leave malformed rows of the data out, and say how many", kind=bool, default=False),
    Option("limit", "the first N items of each benchmark", "N", int),
    Option("train_split", "what systems that learn may learn from; default: the benchmark's own", "S"),
)

# What the verdict of a report depends on, and when it is reached; keys of the whole suite.
VERDICT = (
    Option("margin", "points of accuracy that a cheaper system may be worse; default: 2", "POINTS", float),
    Option("queries", "queries a month that prices are compared for, such as 1e6; default: 100,000", "N", float),
    Option(
        "until_decided",
        "ask all systems in step, and stop once each pair is told apart, or shown to differ by less than the margin",
        kind=bool,
        default=False,
    ),
)

# How a run uses the batch APIs of providers; fields of `CallPolicy`.
BATCHES = (
    Option(
        "batch_api",
        "ask by the provider's batches, at half price and within a day; the run ends, and --resume collects",
        kind=bool,
        default=False,
    ),
    Option("wait", "with --batch-api, wait for the answers; Ctrl-C cancels the batches", kind=bool, default=False),
    Option(
        "then",
        "with --batch-api, how to ask again what a batch did not answer: in another one, or live",
        choices=("batch", "live"),
        default="batch",
    ),
)

# The names are those of `CallPolicy`, whose `cache` has two flags: --cache and --cache-sampled.
CALLS = (
    Option(
        "retries",
        "make a call again so often after faults that pass (429, 5xx, a lost connection)",
        "N",
        int,
        default=RETRIES,
    ),
    Option("rpm", "requests a minute, at most", "N", int),
    Option("tpm", "tokens a minute, at most", "N", int),
    Option("timeout_s", "seconds for a call; default: 60, or 600 to think", "S", float, flag="--timeout"),
    Option(
        "item_timeout_s",
        "seconds for an item, retries included",
        "S",
        float,
        default=ITEM_TIMEOUT_S,
        flag="--item-timeout",
    ),
    Option("max_cost_usd", "stop before the run has cost more than this", "USD", float, flag="--max-cost"),
)
