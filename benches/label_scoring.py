"""Label scoring with shared prefixes against one prompt at a time: `python -m benches label-scoring`.

Both sides score the same prompts with the same weights and dtype, in turns; the table gives the median of the runs.
The plain side is what a short script with transformers does: one forward pass for each prompt and label.
"""

import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from langchain_core.messages import BaseMessage

from chains import kice, mnli
from chains.local import LocalChatModel
from chains.templates import load_prompt
from data.registry import load_items
from data.types import Item

RUNS = 3
Scores = list[list[float]]


def prompts_of(items: Sequence[Item]) -> tuple[list[list[BaseMessage]], list[list[str]]]:
    """Render each item's prompt and labels, as the chains do."""
    module = mnli if "premise" in items[0].inputs else kice
    name = "mnli/zero-shot" if module is mnli else "kice/minimal"
    prompt = load_prompt(name, variables=module.VARIABLES)
    render: Callable[[dict[str, Any]], dict[str, str]] = mnli.render if module is mnli else kice.with_own_passage
    conversations = [prompt.template().invoke(render(item.to_input())).to_messages() for item in items]
    return conversations, [prompt.labels(item.choices) for item in items]


def score_plainly(
    model: LocalChatModel, conversations: Sequence[Sequence[BaseMessage]], labels: Sequence[Sequence[str]]
) -> Scores:
    """Score one prompt and one label at a time with a whole forward pass each."""
    import torch

    from chains.encoding import encode_labels, render

    loaded = model.load()
    scores: Scores = []
    for conversation, options in zip(conversations, labels, strict=True):
        prompt = encode_labels(loaded, render(loaded, conversation, {}), options)
        row = []
        for continuation in prompt.continuations:
            ids = torch.tensor([[*prompt.context, *continuation]])
            with torch.inference_mode():
                logits = loaded.model(ids, logits_to_keep=len(continuation) + 1).logits[0, :-1]  # (L, V)
            logprobs = logits.float().log_softmax(dim=-1)
            row.append(sum(logprobs[i, token].item() for i, token in enumerate(continuation)))
        scores.append(row)
    return scores


def compare(name: str, items: Sequence[Item]) -> str:
    """Time both sides on the items and return a row of the table."""
    model = LocalChatModel(model_ref="smollm2")
    conversations, labels = prompts_of(items)
    sides: dict[str, Callable[[], Scores]] = {
        "shared": lambda: [list(scores.logprobs) for scores in model.score(conversations, labels)],
        "plain": lambda: score_plainly(model, conversations, labels),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    answers: dict[str, list[int]] = {}
    for run in range(RUNS):
        for side, score in sides.items():
            started = time.perf_counter()
            scores = score()
            seconds[side].append(time.perf_counter() - started)
            answers[side] = [max(range(len(row)), key=row.__getitem__) for row in scores]
        print(f"{name}: run {run + 1} of {RUNS} done", file=sys.stderr)
    shared, plain = (statistics.median(seconds[side]) for side in ("shared", "plain"))
    same = sum(a == b for a, b in zip(answers["shared"], answers["plain"], strict=True))
    rates = f"{len(items) / shared:.2f} | {len(items) / plain:.2f}"
    return f"| {name} | {rates} | {plain / shared:.1f} x | {same} of {len(items)} |"


def main() -> None:
    """Print the table."""
    rows = [
        compare("MNLI sample, first 60 items", load_items("mnli", split="sample", limit=60)),
        compare("KICE sample, first 8 items", load_items("kice", split="sample", limit=8)),
    ]
    versions = ", ".join(f"{package} {version(package)}" for package in ("torch", "transformers"))
    print(f"SmolLM2-135M label scoring, items/s, median of {RUNS}; {platform.machine()}, {versions}\n")
    print("| items | shared prefixes | one at a time | ratio | same answer |\n|---|---|---|---|---|")
    print("\n".join(rows))
