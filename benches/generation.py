"""Batched replies against langchain-huggingface: `python -m benches generation [--sets S,S] [--dtypes D,D]`.

Both sides answer the same questions with the same weights, dtype and chat template, greedily, in turns, in this
process: `LocalChatModel.batch` and `ChatHuggingFace.batch` over a `HuggingFacePipeline`. Replies end where the model
ends them, or at the limit. A side's tokens are counted in its replies' texts, by one tokenizer. In bfloat16 the same
prompt alone and in a batch may differ in the last bits, and then in words; float32 shows that nothing else differs.
"Of the limit" is the share of our time that the operations take at least, or the reading of the weights
(`benches.limit`).
"""

import argparse
from collections.abc import Sequence
from statistics import median
from typing import Any

from langchain_core.messages import HumanMessage

from benches.items import texts_to_answer
from benches.limit import count_work, share_of_limit
from benches.table import RUNS, Timed, count, in_turns, markdown_table, median_seconds, timed, versions_line

ITEMS = 64
NEW_TOKENS = 64
SETS = "mnli,kice"
DTYPES = "bfloat16"


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    options = _options(arguments)
    rows = [
        _compare(name, dtype, texts_to_answer(name, options.items), options)
        for name in options.sets.split(",")
        for dtype in options.dtypes.split(",")
    ]
    versions = versions_line(["torch", "transformers", "langchain-huggingface", "langchain-core"])
    print(f"SmolLM2-135M, {options.items} prompts, at most {options.new_tokens} new tokens, greedy; ", end="")
    print(f"median of {options.runs}; {versions}\n")
    columns = [
        "prompts",
        "tokens each",
        "ours, tokens/s",
        "ChatHuggingFace, tokens/s",
        "ratio",
        "ours of the limit",
        "tokens, ours / theirs",
        "same text",
    ]
    print(markdown_table(columns, rows))


def chat_hugging_face(weights: str, *, dtype: str, new_tokens: int) -> Any:
    """Return LangChain's chat model over a pipeline, as its documentation builds it from a loaded model."""
    from langchain_huggingface import ChatHuggingFace, HuggingFacePipeline
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

    from data.common.hub import quiet_transformers

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(weights)
        model = AutoModelForCausalLM.from_pretrained(weights, dtype=dtype)
        generate = pipeline(
            "text-generation",
            model=model,
            tokenizer=tokenizer,
            max_new_tokens=new_tokens,
            do_sample=False,
            return_full_text=False,
            device="cpu",
        )
    return ChatHuggingFace(llm=HuggingFacePipeline(pipeline=generate), tokenizer=tokenizer)


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> int:
    """Return how many tokens the texts are, without any that a tokenizer adds."""
    return sum(map(len, tokenizer(list(texts), add_special_tokens=False)["input_ids"]))


def _compare(name: str, dtype: str, texts: Sequence[str], options: argparse.Namespace) -> list[str]:
    from chains.local.chat_model import LocalChatModel
    from chains.local.encoding import encode_prompt, render

    prompts: list[Any] = [[HumanMessage(text)] for text in texts]
    ours = LocalChatModel(model_ref="smollm2", dtype=dtype, device="cpu", max_tokens=options.new_tokens)
    loaded = ours.load()
    theirs = chat_hugging_face(loaded.source, dtype=dtype, new_tokens=options.new_tokens)
    config = {"max_concurrency": options.concurrency} if options.concurrency else None

    def reply(model: Any, asked: Sequence[Any], config: Any = None) -> Timed[list[str]]:
        return timed(lambda: [message.text for message in model.batch(list(asked), config=config)])

    for model in (ours, theirs):  # the first pass of a model is slow, and is not what is compared
        reply(model, prompts[:1])
    mine, other = in_turns(
        f"{name}, {dtype}", lambda: reply(ours, prompts), lambda: reply(theirs, prompts, config), runs=options.runs
    )
    tokens = [count_tokens(loaded.tokenizer, side[-1].answer) for side in (mine, other)]
    fast, slow = tokens[0] / median_seconds(mine), tokens[1] / median_seconds(other)
    same = sum(a == b for a, b in zip(mine[-1].answer, other[-1].answer, strict=True))
    asked = median(len(encode_prompt(loaded, render(loaded, prompt, {}))) for prompt in prompts)
    return [
        f"{name}, {dtype}",
        f"{asked:.0f}",
        f"{fast:.1f}",
        f"{slow:.1f}",
        f"{fast / slow:.1f} x",
        share_of_limit(count_work(lambda: ours.batch(prompts), loaded.model), loaded.dtype, median_seconds(mine)),
        f"{tokens[0]} / {tokens[1]}",
        f"{same} of {len(texts)}",
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches generation", description=str(__doc__).split("\n")[0])
    parser.add_argument("--sets", default=SETS, help="comma-separated, rows each (default: %(default)s)")
    parser.add_argument("--items", type=count, default=ITEMS, help="prompts (default: %(default)s)")
    parser.add_argument("--new-tokens", type=count, default=NEW_TOKENS, help="of a reply (default: %(default)s)")
    parser.add_argument("--dtypes", default=DTYPES, help="comma-separated, a row each (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=count, help="threads of ChatHuggingFace.batch (default: LangChain's own choice)"
    )
    parser.add_argument("--runs", type=count, default=RUNS)
    return parser.parse_args(list(arguments))
