"""Label scoring with shared prefixes against one prompt at a time: `python -m benches label-scoring`.

Both sides score the same prompts with the same weights and dtype, in turns; the table gives the median of the runs.
The plain side is what a short script with transformers does: one forward pass for each prompt and label.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage

from benches.agreement import compare_scores
from benches.table import RUNS, in_turns, markdown_table, median_seconds, timed, versions_line
from chains import classify, kice, mnli, rungs
from chains.local.chat_model import LocalChatModel
from chains.prompt_files import load_prompt
from data.registry import load_items
from data.types import Item

Scores = list[list[float]]


def prompts_of(items: Sequence[Item]) -> tuple[list[list[BaseMessage]], list[list[str]]]:
    """Render each item's prompt and labels, as the chains do."""
    variables: tuple[str, ...]
    values: Callable[[dict[str, Any]], Mapping[str, Any]]
    shown = partial(rungs.prompt_values, shown="oracle", layout=kice.LAYOUT, language="ko")
    if "premise" in items[0].inputs:
        name, variables, values = "mnli/zero-shot", mnli.VARIABLES, mnli.render
    elif "passage" in items[0].inputs:
        name, variables, values = "kice/minimal", kice.VARIABLES, shown
    else:
        name, variables, values = "classify/zero-shot", classify.VARIABLES, partial(classify.prompt_values, meanings={})
    prompt = load_prompt(name, variables=variables)
    conversations = [prompt.template().invoke(values(item.to_input())).to_messages() for item in items]
    return conversations, [prompt.labels(item.choices) for item in items]


def score_plainly(
    model: LocalChatModel, conversations: Sequence[Sequence[BaseMessage]], labels: Sequence[Sequence[str]]
) -> Scores:
    """Score one prompt and one label at a time with a whole forward pass each."""
    import torch

    from chains.local.encoding import encode_labels, render

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


def compare(name: str, items: Sequence[Item]) -> list[str]:
    """Time both sides on the items and return a row of the table."""
    model = LocalChatModel(model_ref="smollm2")
    conversations, labels = prompts_of(items)
    shared, plain = in_turns(
        name,
        lambda: timed(lambda: [list(scores.logprobs) for scores in model.score(conversations, labels)]),
        lambda: timed(lambda: score_plainly(model, conversations, labels)),
    )
    agreement = compare_scores(shared[-1].answer, plain[-1].answer)
    fast, slow = (median_seconds(side) for side in (shared, plain))
    rates = [f"{len(items) / fast:.2f}", f"{len(items) / slow:.2f}", f"{slow / fast:.1f} x"]
    return [name, *rates, f"{agreement.n_same} of {len(items)}"]


def main() -> None:
    """Print the table."""
    rows = [
        compare("MNLI sample, first 60 items", load_items("mnli", split="sample", limit=60)),
        compare("KICE sample, first 8 items", load_items("kice", split="sample", limit=8)),
    ]
    versions = versions_line(["torch", "transformers"])
    print(f"SmolLM2-135M label scoring, items/s, median of {RUNS}; {versions}\n")
    print(markdown_table(["items", "shared prefixes", "one at a time", "ratio", "same answer"], rows))
